// The dry run: it says what would be released and why, and changes nothing.
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { WorkloadName } from "../../src/domain/Workload.ts"
import { ContainerRuntime } from "../../src/port/ContainerRuntime.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { Journal } from "../../src/port/Journal.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { reapable } from "../../src/program/reapable.ts"
import { asked, claimed, endings, freshWorkloadName, registered, workloadSpec } from "../../src/testing/Fixture.ts"
import { startReplica, world } from "./scripted.ts"

it.effect(
  "X7: what has no owner is told with the reason, and is still there afterwards; nothing is told of what serves",
  () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const [store, journal, runtime] = [yield* DeploymentStore, yield* Journal, yield* ContainerRuntime]
      const replica = yield* startReplica("one")
      const { image } = yield* replica.run(deploy(asked(yield* registered())))
      expect(yield* replica.run(reapable())).toStrictEqual([])

      const lost = yield* claimed(yield* registered())
      yield* store.abandon(lost.replica)
      const failed = yield* claimed(yield* registered())
      const left = yield* freshWorkloadName
      const { app, deployment, fence } = failed
      yield* journal.intend({ name: left, app: app.id, work: deployment.id, fence, replica: failed.replica })
      yield* store.finish(failed, endings[0])
      const unneeded = yield* runtime.build({ directory: "/elsewhere", commit: null }, () => Effect.void)
      const spec = { ...(yield* workloadSpec(unneeded)), name: WorkloadName.make("stray") }
      yield* runtime.start(spec)

      const before = JSON.stringify([
        ...state.deployments.values(),
        ...state.intents.values(),
        ...state.workloads.keys()
      ])
      expect(yield* replica.run(reapable())).toStrictEqual([
        { kind: "deployment", name: lost.deployment.id, why: "its holder lost the lease" },
        { kind: "workload", name: left, why: `${deployment.id} neither runs nor serves` },
        { kind: "workload", name: "stray", why: "it exists and nothing says that it was to be made" },
        { kind: "image", name: unneeded, why: "no retained release and nothing in progress needs it" }
      ])
      const after = JSON.stringify([
        ...state.deployments.values(),
        ...state.intents.values(),
        ...state.workloads.keys()
      ])
      expect(after).toBe(before)
      expect(state.images.has(unneeded)).toBe(true)

      yield* replica.run(reap())
      expect(yield* replica.run(reapable())).toStrictEqual([
        { kind: "image", name: unneeded, why: "no retained release and nothing in progress needs it" }
      ])
      expect(image).not.toBe(unneeded)
    }).pipe(Effect.provide(world))
)
