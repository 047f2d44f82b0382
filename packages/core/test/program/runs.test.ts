// Runs as programs: made, measured, ended and removed, with nothing left behind however they end.
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { runTopology } from "../../src/program/runTopology.ts"
import { aNode } from "../support/topologies.ts"
import { asked, left, nothing, statusesOf } from "./runWorld.ts"
import { startReplica, world } from "./scripted.ts"
import { whileTimePasses } from "./invariants.ts"

describe("a run", () => {
  it.effect("H41 X11: makes its nodes, takes its steps, and leaves nothing", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const { logs } = yield* MemoryState
      const request = yield* asked({
        nodes: [aNode("db", { ports: [5432] }), aNode("app", { dependsOn: ["db"] })],
        steps: [{ name: "try", node: "app", command: ["true"] }]
      })
      const run = yield* whileTimePasses(replica.run(runTopology(request)))
      expect(run).toMatchObject({ status: "succeeded", verdict: "pass", cleanup: "done", error: null })
      expect(run.steps).toMatchObject([{ name: "try", exitCode: 0 }])
      expect(yield* statusesOf(run.id)).toStrictEqual(["provisioning", "running", "teardown", "succeeded"])
      expect(yield* left).toStrictEqual(nothing)
      const said = (logs.get(`run/${run.id}`)?.lines ?? []).map(({ line }) => line)
      expect(said).toContain("db | db is up")
    }).pipe(Effect.provide(world))
  )
})
