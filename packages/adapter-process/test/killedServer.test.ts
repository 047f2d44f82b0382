// A server is killed: its Workloads die with it, whatever they ignore and whatever they started, and the next start
// removes their homes.

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { isAlive, membersOf, parseIdentity } from "../src/internal/processTable.ts"
import { filesBelow, until } from "./support/processes.ts"
import { runtime, treeOf } from "./support/running.ts"
import * as Path from "node:path"
import { startOf } from "../../../test/harness/programs.ts"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"

const lines: Readonly<Record<string, string>> = {
  "that is polite": "echo up; exec sleep 1000",
  "with grandchildren": "(sleep 1000 & sleep 1000) & (sleep 1000 &); echo up; wait",
  "that ignores signals": "trap '' TERM INT HUP QUIT; (trap '' TERM; sleep 1000) & echo up; while :; do sleep 1; done",
  "that was stopped": "echo up; kill -STOP $$",
  "that closed its outputs": "echo up; exec sleep 1000 >/dev/null 2>&1 </dev/null"
}

const server = (builds: string, homes: string, tree: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const start = await startOf("packages/adapter-process/test/support/killedServer.ts")
      const env = { ...process.env, ...start.env }
      return spawn(process.execPath, [...start.args, builds, homes, tree], { env, stdio: ["ignore", "pipe", "ignore"] })
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

describe.skipIf(process.platform !== "linux")("kill -9 of a server", () => {
  it.live.each(Object.entries(lines))("ends a Workload %s (INV-7)", ([, line]) =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const [builds, homes] = [Path.join(directory, "builds"), Path.join(directory, "homes")]
      const tree = yield* treeOf({ Procfile: `web: ${line}` })
      const child = yield* server(builds, homes, tree.directory)
      const [id] = yield* Effect.promise(() => once(child.stdout, "data"))
      const leader = parseIdentity(String(id).trim())
      assert.isTrue(leader !== undefined && isAlive(leader))
      const group = leader?.pid ?? 0
      assert.isAtLeast(membersOf(group).length, 2)

      child.kill("SIGKILL")
      yield* Effect.promise(() => once(child, "exit"))
      yield* until(() => membersOf(group).length === 0)
      assert.deepStrictEqual(membersOf(group), [])
      assert.lengthOf(filesBelow(homes), 1)
      yield* runtime({ builds, homes })
      assert.lengthOf(filesBelow(homes), 0)
    })
  )
})
