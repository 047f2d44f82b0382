// Where a deploy key is while a fetch runs, and that it is nowhere afterwards: a server that says nothing holds the fetch
// where it can be looked at.

import { type GitSource, GitUrl } from "@lockkeeper/core/domain/Source"
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Logger, Redacted } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { describeWith } from "../../../test/harness/capability.ts"
import { strangerKey } from "../../../test/harness/sshd.ts"
import * as ProcessSourceFetcher from "../src/ProcessSourceFetcher.ts"
import { fetcher } from "./support/fetching.ts"
import { filesBelow, processesWith, textsBelow, until } from "./support/processes.ts"
import { silentServer } from "./support/servers.ts"

const modeOf = (path: string) => (Fs.statSync(path).mode & 0o777).toString(8)

// One line out of the middle of the key: nothing else holds it by chance.
const bytesOf = (key: Redacted.Redacted<string>) => Redacted.value(key).split("\n")[2] ?? ""

const isolated = Effect.gen(function* () {
  const server = yield* silentServer
  const deployKey = yield* strangerKey
  const url = GitUrl.make(`ssh://git@127.0.0.1:${server.port}/x`)
  const source: GitSource = { type: "git", url, knownHosts: "x", deployKey }
  return { server, deployKey, source }
})

const secretIn = (directory: string) =>
  filesBelow(Path.join(directory, "keys"))
    .map((name) => Path.join(directory, "keys", name))
    .find((path) => path.endsWith("/key"))

describeWith("git", "sshd")("a deploy key", () => {
  it.live("is one 0600 file in a 0700 directory of its own, in no argument, environment, log or error (INV-11)", () =>
    Effect.gen(function* () {
      const { deployKey, server, source } = yield* isolated
      const { directory, fetch, left } = yield* fetcher()
      const logged: Array<string> = []
      const logger = Logger.make(({ cause, message }) => void logged.push(`${String(message)} ${Cause.pretty(cause)}`))
      const fetching = yield* Effect.scoped(fetch(source)).pipe(
        Effect.onError(Effect.logError),
        Effect.provide(Logger.layer([logger])),
        Effect.forkChild
      )
      yield* until(() => server.open() === 1)

      const file = secretIn(directory) ?? ""
      assert.deepStrictEqual([modeOf(file), modeOf(Path.dirname(file))], ["600", "700"])
      assert.strictEqual(Fs.readFileSync(file, "utf8").trim(), Redacted.value(deployKey).trim())
      assert.notInclude(textsBelow(Path.join(directory, "sources")), bytesOf(deployKey))
      assert.isAbove(processesWith(directory).length, 0)
      assert.deepStrictEqual(processesWith(bytesOf(deployKey)), [])

      yield* Fiber.interrupt(fetching)
      assert.deepStrictEqual(left(), [])
      yield* until(() => server.open() === 0)
      assert.strictEqual(server.open(), 0)
      assert.isAbove(logged.length, 0)
      assert.notInclude(logged.join("\n"), bytesOf(deployKey))
    })
  )

  it.live("is gone when the fetch takes too long", () =>
    Effect.gen(function* () {
      const { server, source } = yield* isolated
      const { left, refusal } = yield* fetcher({ deadline: "700 millis" })
      const error = yield* refusal(source)
      assert.strictEqual(error.reason, "source_unreachable")
      assert.include(error.detail, "700ms")
      assert.deepStrictEqual(left(), [])
      yield* until(() => server.open() === 0)
      assert.strictEqual(server.open(), 0)
    })
  )

  it.live("of a killed server is swept at the next start, and its git is gone by itself (U2)", () =>
    Effect.gen(function* () {
      const { deployKey, server, source } = yield* isolated
      const { directory, left } = yield* fetcher()
      const script = fileURLToPath(new URL("support/killedFetcher.ts", import.meta.url))
      const killed = spawn(
        process.execPath,
        ["--conditions=@lockkeeper/source", script, directory, source.url, Redacted.value(deployKey)],
        { stdio: "ignore" }
      )
      yield* until(() => server.open() === 1)
      assert.strictEqual(yield* ProcessSourceFetcher.sweepLeftovers(directory), 0)
      killed.kill("SIGKILL")
      yield* Effect.promise(() => once(killed, "exit"))

      yield* until(() => server.open() === 0)
      yield* until(() => processesWith(directory).length === 0)
      assert.deepStrictEqual(processesWith(directory), [])
      assert.include(textsBelow(Path.join(directory, "keys")), bytesOf(deployKey))
      assert.strictEqual(yield* ProcessSourceFetcher.sweepLeftovers(directory), 2)
      assert.deepStrictEqual(left(), [])
    })
  )

  it.live("is not written where somebody planted a link (H30)", () =>
    Effect.gen(function* () {
      const { source } = yield* isolated
      const { directory, refusal } = yield* fetcher()
      const other = Path.join(directory, "other")
      Fs.mkdirSync(other)
      Fs.symlinkSync(other, Path.join(directory, "keys"))
      const { detail } = yield* refusal(source)
      assert.include(detail, "is not a directory")
      assert.deepStrictEqual(Fs.readdirSync(other), [])
    })
  )
})
