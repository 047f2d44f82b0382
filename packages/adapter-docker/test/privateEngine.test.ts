// What cannot be done to the engine of a machine that others use: its disk is full, or it is killed and starts again.

import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { images } from "../../../test/harness/images.ts"
import { runtime, shell, sleeping, specOf, treeOf } from "./support/engine.ts"
import { privateEngine } from "./support/privateEngine.ts"

const filling = { Dockerfile: `FROM ${images.busybox}\nRUN head -c 100000000 /dev/zero > /big\n` }

describeWith("docker")("an engine of its own", () => {
  it.live(
    "H24 whose disk is full fails the build and says so; the disk is free again, and what was there goes on",
    () =>
      Effect.gen(function* () {
        const { docker, engine, usedBytes } = yield* privateEngine(64)
        const made = yield* runtime({ engine })
        const workload = yield* made.start(specOf(yield* made.buildOf(sleeping)))
        const before = usedBytes()

        const failing = yield* Effect.flip(made.buildOf(filling))
        assert.deepStrictEqual([failing.reason, failing.detail.includes("non-zero code")], ["build_failed", true])
        const tree = yield* treeOf({ Dockerfile: `FROM ${images.busybox}\nCOPY . .\n` })
        Fs.writeFileSync(Path.join(tree.directory, "big"), randomBytes(100_000_000))
        const full = yield* Effect.flip(made.build(tree, made.say))
        assert.deepStrictEqual([full.reason, full.detail.includes("the engine's disk is full")], ["build_failed", true])
        assert.strictEqual((yield* made.inspect(workload)).state, "running")
        const left = Effect.promise(() => docker.listContainers({ all: true }))
        assert.lengthOf(yield* left, 1)
        const isFree = Effect.sync(() => usedBytes() - before < 2_000_000)
        yield* eventually("the disk is free again", isFree, (is) => is, "5 seconds")
        yield* made.stop(workload.name, workload.id)
        assert.lengthOf(yield* left, 0)
        assert.deepStrictEqual(
          yield* Effect.promise(() => docker.listNetworks()).pipe(Effect.map((all) => all.length)),
          3
        )
      }),
    60_000
  )

  it.live(
    "T1 T3 that is killed while it builds is engine_unavailable, and after its start all goes on",
    () =>
      Effect.gen(function* () {
        const { docker, engine, kill, start } = yield* privateEngine(64)
        const made = yield* runtime({ engine })
        const workload = yield* made.start(specOf(yield* made.buildOf(sleeping)))
        const hanging = { Dockerfile: `FROM ${images.busybox}\nRUN echo begun; sleep 1000\n` }
        const building = yield* Effect.forkChild(Effect.flip(made.buildOf(hanging)))
        yield* eventually(
          "it builds",
          Effect.sync(() => made.said.includes("build: begun")),
          (does) => does
        )
        yield* kill
        assert.strictEqual((yield* Fiber.join(building)).reason, "engine_unavailable")
        assert.strictEqual((yield* Effect.flip(made.inspect(workload))).reason, "engine_unavailable")

        yield* start
        const state = yield* made.inspect(workload)
        assert.strictEqual(state.state, "exited")
        yield* made.stop(workload.name, workload.id)
        const again = yield* made.start(specOf(yield* made.buildOf(shell("sleep 1000"))))
        assert.strictEqual((yield* made.inspect(again)).state, "running")
        yield* made.stop(again.name, again.id)
        const running = Effect.promise(() => docker.listContainers({ filters: { status: ["running"] } }))
        yield* eventually("the engine has ended what it found from before", running, (found) => found.length === 0)
      }),
    60_000
  )
})
