// Waiting for a day costs few looks, also where no Hint is heard, and ends soon after there is a Slot.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { deploy } from "../../src/program/deploy.ts"
import { withSlot } from "../../src/program/withSlot.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { type ScriptedReplica, startReplica, world } from "./scripted.ts"

const looks = ({ script }: ScriptedReplica, call: string) =>
  script.calls.filter((seen) => seen.startsWith(`${call}#`)).length

const aDay = 24 * 60

const passes = Effect.fnUntraced(function* (minutes: number) {
  for (let minute = 0; minute < minutes; minute++) yield* TestClock.adjust("1 minute")
})

describe("who waits for a Slot for a day", () => {
  it.effect("H25: with a deployment looks at most 2,900 times, and has it half a minute after there is one", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* registered()
      yield* (yield* DeploymentStore).setCap(app.tenant, 0)
      const fiber = yield* Effect.forkDetach(replica.run(deploy(asked(app))))
      yield* passes(aDay)
      expect(looks(replica, "DeploymentStore.admit")).toBeGreaterThan(1_000)
      expect(looks(replica, "DeploymentStore.admit")).toBeLessThanOrEqual(2_900)
      yield* (yield* DeploymentStore).setCap(app.tenant, 1)
      yield* TestClock.adjust("31 seconds")
      yield* passes(1)
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "healthy" })
    }).pipe(Effect.provide(world))
  )

  it.effect("H10 H25: with work of its own looks at most 2,900 times, and lets go at once when it is interrupted", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const { tenant } = yield* registered()
      const store = yield* DeploymentStore
      yield* store.setCap(tenant, 0)
      const work = replica.run(withSlot({ tenant }, Effect.void))
      const fiber = yield* Effect.forkDetach(work)
      yield* passes(aDay)
      expect(looks(replica, "JobStore.admitJob")).toBeGreaterThan(1_000)
      expect(looks(replica, "JobStore.admitJob")).toBeLessThanOrEqual(2_900)
      expect(yield* store.usage(tenant)).toMatchObject({ running: 0, queued: 1 })
      yield* Fiber.interrupt(fiber)
      expect(yield* store.usage(tenant)).toMatchObject({ running: 0, queued: 0 })
    }).pipe(Effect.provide(world))
  )
})
