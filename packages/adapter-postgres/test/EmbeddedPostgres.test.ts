// What an embedded server keeps, hides and refuses, on real servers. Who may own one is in EmbeddedPostgresOwner.test.ts.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted, Schedule, Scope } from "effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import * as EmbeddedPostgres from "../src/EmbeddedPostgres.ts"
import { signal } from "../src/internal/processTable.ts"
import { assertKept, isGone, isLinux, postmasterOf, query, reasonOf, serve } from "./support/embedded.ts"
import { temporaryDirectory, textIn, until, usedDirectory } from "./support/embedded.ts"

const modeOf = (...path: ReadonlyArray<string>) => (Fs.statSync(Path.join(...path)).mode & 0o7777).toString(8)

layer(NodeServices.layer)("EmbeddedPostgres under a test clock", (it) => {
  it.effect("starts on an empty directory, answers queries and keeps the data for the next start", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const first = yield* Scope.make()
      const server = yield* serve(dataDir).pipe(Scope.provide(first))
      const [row] = yield* query<{ version: number; listens: string; superuser: string }>(
        server.url,
        `select current_setting('server_version_num')::int / 10000 as version,
                current_setting('listen_addresses') || current_setting('unix_socket_directories') as listens,
                current_user::text as superuser`
      )
      assert.deepStrictEqual(row, { version: Number(server.version), listens: "127.0.0.1", superuser: server.username })
      yield* query(server.url, "create table kept as select 42 as answer")
      const pid = postmasterOf(dataDir)
      yield* Scope.close(first, Exit.void)

      assert.isFalse(yield* signal(pid, 0))
      assert.deepStrictEqual(Fs.readdirSync(Path.join(dataDir, "private")), ["database-password"])
      yield* assertKept(dataDir)
    })
  )
})

layer(NodeServices.layer, { excludeTestServices: true })("EmbeddedPostgres in real time", (it) => {
  it.effect("lets nobody in without the password and has no trusting line", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const server = yield* serve(dataDir)
      for (const user of ["lockkeeper:wrong", "lockkeeper", "postgres", "nobody:"]) {
        const url = Redacted.make(`postgres://${user}@127.0.0.1:${server.port}/postgres`)
        const error = yield* Effect.flip(query(url, "select 1"))
        assert.strictEqual(error.reason._tag, "AuthenticationError")
      }

      const lines = textIn(dataDir, "pg", "pg_hba.conf")
        .split("\n")
        .filter((line) => line.trim() !== "" && !line.startsWith("#"))
      assert.isAbove(lines.length, 0)
      for (const line of lines) assert.match(line, /\sscram-sha-256$/)
      const stored = yield* query<{ kind: string }>(
        server.url,
        "select left(rolpassword, 14) as kind from pg_authid where rolcanlogin"
      )
      assert.deepStrictEqual(stored, [{ kind: "SCRAM-SHA-256$" }])
    })
  )

  it.effect("keeps its files private and its password out of every process", () =>
    Effect.gen(function* () {
      const dataDir = Path.join(yield* temporaryDirectory, "data")
      const server = yield* serve(dataDir)
      const password = textIn(dataDir, "private", "database-password")

      assert.deepStrictEqual(Fs.readdirSync(dataDir).sort(), ["pg", "private"])
      assert.deepStrictEqual(Fs.readdirSync(Path.join(dataDir, "private")).sort(), [
        "database-password",
        "database-url"
      ])
      assert.strictEqual(modeOf(dataDir), "711")
      assert.strictEqual(modeOf(dataDir, "pg"), "700")
      assert.strictEqual(modeOf(dataDir, "private"), "700")
      assert.strictEqual(modeOf(dataDir, "private", "database-password"), "600")
      assert.strictEqual(modeOf(dataDir, "private", "database-url"), "600")
      assert.strictEqual(textIn(dataDir, "private", "database-url"), Redacted.value(server.url))
      assert.isAtLeast(Buffer.from(password, "base64url").length, 16)
      assert.notInclude(`${JSON.stringify(server)} ${server.url}`, password)
      assert.notInclude(textIn(dataDir, "pg", "postmaster.opts"), password)
      if (!isLinux) return
      for (const file of ["cmdline", "environ"]) {
        const text = textIn("/proc", String(postmasterOf(dataDir)), file)
        assert.isAbove(text.length, 0)
        assert.notInclude(text, password)
      }
    })
  )

  it.effect("gives every database its own password", () =>
    Effect.gen(function* () {
      const [first = "", second = ""] = yield* Effect.all([usedDirectory, usedDirectory])
      assert.notStrictEqual(
        textIn(first, "private", "database-password"),
        textIn(second, "private", "database-password")
      )
    })
  )

  it.effect("leaves nothing running when a start is interrupted", () =>
    Effect.gen(function* () {
      const dataDir = yield* usedDirectory
      const fiber = yield* Effect.forkChild(Effect.scoped(Effect.andThen(serve(dataDir), Effect.never)))
      yield* until(() => Fs.existsSync(Path.join(dataDir, "pg", "postmaster.pid")))
      const pid = postmasterOf(dataDir)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(isGone(pid))
      yield* assertKept(dataDir)
    })
  )

  it.effect("starts a server again that died in use, on the same port", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const { url } = yield* serve(dataDir)
      const pid = postmasterOf(dataDir)
      yield* signal(pid, "SIGKILL")
      yield* until(() => isGone(pid))
      const rows = yield* query(url, "select 1 as one").pipe(Effect.retry(Schedule.spaced("50 millis")))
      assert.deepStrictEqual(rows, [{ one: 1 }])
      assert.notStrictEqual(postmasterOf(dataDir), pid)
    })
  )

  describe("refuses with a typed error", () => {
    it.effect("a database of another major version, naming both", () =>
      Effect.gen(function* () {
        const dataDir = yield* usedDirectory
        Fs.writeFileSync(Path.join(dataDir, "pg", "PG_VERSION"), "16\n")
        const reason = yield* reasonOf(serve(dataDir))
        assert.strictEqual(reason._tag, "VersionMismatch")
        assert.match(reason.message, /PostgreSQL 16, the bundled server is 18/)
      })
    )

    it.effect("a database whose password file is gone", () =>
      Effect.gen(function* () {
        const dataDir = yield* usedDirectory
        Fs.rmSync(Path.join(dataDir, "private", "database-password"))
        const reason = yield* reasonOf(serve(dataDir))
        assert.strictEqual(reason._tag, "DataDirectoryUnusable")
        assert.include(reason.message, "database-password: is missing")
        assert.isFalse(Fs.existsSync(Path.join(dataDir, "private", "database-password")))
      })
    )

    it.effect("files in pg/ that are no database, and leaves them alone", () =>
      Effect.gen(function* () {
        const dataDir = yield* temporaryDirectory
        Fs.mkdirSync(Path.join(dataDir, "pg"))
        Fs.writeFileSync(Path.join(dataDir, "pg", "notes.txt"), "mine")
        assert.strictEqual((yield* reasonOf(serve(dataDir)))._tag, "DataDirectoryUnusable")
        assert.strictEqual(textIn(dataDir, "pg", "notes.txt"), "mine")
      })
    )

    it.effect("a data directory that everybody can write to, and a planted link to private/", () =>
      Effect.gen(function* () {
        const open = yield* usedDirectory
        Fs.chmodSync(open, 0o777)
        assert.include((yield* reasonOf(serve(open))).message, "everybody may write here")

        const planted = yield* temporaryDirectory
        Fs.symlinkSync(yield* temporaryDirectory, Path.join(planted, "private"))
        assert.include((yield* reasonOf(serve(planted))).message, "is not a directory")
      })
    )

    it.effect("a given port that another program has", () =>
      Effect.gen(function* () {
        const taken = yield* Effect.acquireRelease(
          Effect.callback<Net.Server>((resume) => {
            const server = Net.createServer()
            server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => server.close())
        )
        const address = taken.address()
        const port = address !== null && typeof address === "object" ? address.port : 0
        const dataDir = yield* usedDirectory
        const reason = yield* reasonOf(EmbeddedPostgres.make({ dataDir, port }))
        assert.deepInclude({ ...reason }, { _tag: "PortInUse", port })
      })
    )

    it.effect("a server that ends at once, with its log and without the password", () =>
      Effect.gen(function* () {
        const dataDir = yield* usedDirectory
        const reason = yield* reasonOf(serve(dataDir, { shared_buffers: "plenty" }))
        assert.strictEqual(reason._tag, "StartFailed")
        assert.match(reason.message, /exited with code 1.*invalid value for parameter "shared_buffers"/s)
        assert.notInclude(reason.message, textIn(dataDir, "private", "database-password"))
      })
    )
  })
})
