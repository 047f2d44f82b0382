// What the Doctor says of what it measured. Pure: how it is measured is in PostgresDoctor.ts.

import type { CheckName, Finding } from "../PostgresDoctor.ts"

/** Nothing is to be done. */
export const ok = (check: CheckName, found: string, advice?: string): Finding => ({
  check,
  status: "ok",
  found,
  advice
})

/** It works, and something is lost or slower. */
export const warning = (check: CheckName, found: string, advice: string): Finding => ({
  check,
  status: "warning",
  found,
  advice
})

/** It does not work like this. */
export const failed = (check: CheckName, found: string, advice: string): Finding => ({
  check,
  status: "failed",
  found,
  advice
})

const lowestVersion = 15

/** `number` is as in `server_version_num`. */
export const versionFinding = (version: string, number: number): Finding =>
  number >= lowestVersion * 10_000
    ? ok("version", `PostgreSQL ${version}`)
    : failed("version", `PostgreSQL ${version}`, `PostgreSQL ${lowestVersion} or newer is needed`)

/** Which sessions of the server each connection was served by. */
export const isPooled = (served: ReadonlyArray<ReadonlyArray<number>>): boolean => {
  const sessions = served.map((pids) => new Set(pids))
  const all = new Set(served.flat())
  return sessions.some(({ size }) => size > 1) || all.size < sessions.length
}

/** What is in between, and whether what is set goes with it. */
export const poolingFindings = (pooled: boolean, prepare: boolean): ReadonlyArray<Finding> => [
  pooled
    ? ok("pooling", "pooled: a transaction pooler is in between, which gives each transaction another session")
    : ok("pooling", "direct: each connection has a session of its own"),
  pooled && prepare
    ? failed(
        "prepared_statements",
        "named prepared statements are on, and a transaction pooler loses them: statements hang or fail",
        "set LOCKKEEPER_DATABASE_PREPARE=false"
      )
    : ok("prepared_statements", prepare ? "named prepared statements are on" : "named prepared statements are off")
]

/** How far a clock is ahead of the database's, in milliseconds, and by how much that may be wrong. */
export interface Skew {
  readonly millis: number
  readonly error: number
}

const warnedSkewMillis = 1_000
const failedSkewMillis = 30_000

/** Leases are on the clock of the database alone, so that a small skew breaks nothing. */
export const clockFinding = ({ error, millis }: Skew): Finding => {
  const direction = millis < 0 ? "behind" : "ahead of"
  const found = `this host is ${seconds(Math.abs(millis))} ${direction} the database, give or take ${seconds(error)}`
  const certain = Math.abs(millis) - error
  const advice =
    "set the clocks with NTP: what this host signs and logs is wrong by that much; leases do not depend on it"
  if (certain > failedSkewMillis) return failed("clock", found, advice)
  return certain > warnedSkewMillis ? warning("clock", found, advice) : ok("clock", found)
}

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(3)} s`

/** Settings of the server that let it lose what it has committed. */
export const durabilityFinding = (off: ReadonlyArray<string>): Finding =>
  off.length === 0
    ? ok("durability", "what is committed survives a crash")
    : warning("durability", `${off.join(", ")} off: a crash of the server loses committed changes`, "set them to on")

/** What a role lacks, as grants that would give it. */
export const privilegesFinding = (role: string, missing: ReadonlyArray<string>): Finding =>
  missing.length === 0
    ? ok("privileges", `${role} may do what is needed`)
    : failed("privileges", `${role} lacks privileges`, `as an owner: ${missing.join("; ")}`)

/** What the database lacks of the schema, and who brings it. */
export const schemaFinding = (
  version: number,
  expected: number,
  pending: number,
  migrate: "apply" | "wait"
): Finding => {
  if (pending === 0) return ok("schema", `version ${version}, and nothing that this version needs is missing`)
  const found = `version ${version} of ${expected}: ${pending} migrations are missing`
  return migrate === "apply"
    ? ok("schema", found, "the next server that starts applies them")
    : failed("schema", found, "run `npm run migrate`: with LOCKKEEPER_MIGRATE=wait no server does")
}
