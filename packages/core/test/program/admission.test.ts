// Waiting for a Slot ends when somebody else carries the Deployment out, or withdraws it.
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { carryOut, deploy } from "../../src/program/deploy.ts"
import { Replica } from "../../src/program/Replica.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { driven, newest, whileTimePasses } from "./invariants.ts"
import { makeHold } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

/** Carries out what waits, whoever asked for it. */
const carriedOut = Effect.gen(function* () {
  const store = yield* DeploymentStore
  const { id: replica, terms } = yield* Replica
  const claim = yield* store.admit({ replica, terms })
  return claim === undefined ? yield* Effect.die(new Error("nothing waits")) : yield* carryOut(claim)
})

/** A deploy whose first question for its Slot waits until it is let go. */
const asking = Effect.gen(function* () {
  const app = yield* registered()
  const { run, script } = yield* startReplica("one")
  const hold = yield* makeHold
  script.reactions.set("DeploymentStore.admit#1", hold.before)
  const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
  yield* hold.reached
  return { app, ends: Effect.andThen(hold.release, Effect.flatten(driven(fiber, 60))) }
})

describe("who waits for a Slot", () => {
  it.effect("INV-1: is told how another replica ended the deployment that took it", () =>
    Effect.gen(function* () {
      const { ends } = yield* asking
      const other = yield* startReplica("other")
      const ended = yield* whileTimePasses(other.run(carriedOut))
      expect(ended.status).toBe("healthy")
      expect(yield* ends).toStrictEqual(ended)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: is told that the deployment was withdrawn", () =>
    Effect.gen(function* () {
      const { app, ends } = yield* asking
      const { deployment } = yield* newest(app)
      yield* (yield* DeploymentStore).withdraw(deployment.id)
      expect((yield* ends).status).toBe("cancelled")
    }).pipe(Effect.provide(world))
  )
})
