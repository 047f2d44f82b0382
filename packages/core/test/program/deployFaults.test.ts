// Every way in which every port call of a Deployment can go wrong, one at a time: whatever it is, nothing is left behind,
// what served still serves, and the Deployment says truthfully how it ended.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { isTerminal } from "../../src/domain/Deployment.ts"
import type { StoreError } from "../../src/port/StoreError.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { carryOut, deploy } from "../../src/program/deploy.ts"
import { Replica } from "../../src/program/Replica.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, newest, reapedLater, servingOf, statusesOf } from "./invariants.ts"
import { crashes, crashesAfter, dies, diesAfter, fails, loses, makeHold, startReplica, type ScriptedReplica, world } from "./scripted.ts"

type Fault =
  | { readonly kind: "fails" | "loses"; readonly reason: StoreError["reason"] }
  | { readonly kind: "dies" | "diesAfter" | "interruptedBefore" | "interruptedAfter" | "crashes" | "crashesAfter" }

const begun = (redeploy: boolean) =>
  Effect.gen(function* () {
    const app = yield* registered()
    if (redeploy) yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
    return app
  })

/** Deploys while one call goes wrong, and answers whether the process was killed at it. */
const deployedWith = Effect.fnUntraced(function* (replica: ScriptedReplica, call: string, fault: Fault, app: Parameters<typeof asked>[0]) {
  const { script } = replica
  const hold = yield* makeHold
  if ("reason" in fault) script.reason = fault.reason
  const reactions = {
    fails,
    loses,
    dies,
    diesAfter,
    interruptedBefore: hold.before,
    interruptedAfter: hold.after,
    crashes: crashes(script),
    crashesAfter: crashesAfter(script)
  }
  script.reactions.set(call, reactions[fault.kind])
  const fiber = yield* Effect.forkDetach(replica.run(deploy(asked(app))))
  if (fault.kind === "interruptedBefore" || fault.kind === "interruptedAfter") {
    yield* hold.reached
    const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
    yield* Effect.yieldNow
    yield* hold.release
    yield* driven(interrupting)
  }
  if (fault.kind === "crashes" || fault.kind === "crashesAfter") {
    while (!script.crashed) yield* Effect.yieldNow
    return true
  }
  yield* driven(fiber)
  return false
})

const faults: ReadonlyArray<readonly [string, Fault]> = [
  ["fails before its effect", { kind: "fails", reason: "unavailable" }],
  ["fails for good before its effect", { kind: "fails", reason: "unexpected" }],
  ["loses its answer", { kind: "loses", reason: "unavailable" }],
  ["loses its answer for good", { kind: "loses", reason: "unexpected" }],
  ["dies before its effect", { kind: "dies" }],
  ["dies after its effect", { kind: "diesAfter" }],
  ["is interrupted before its effect", { kind: "interruptedBefore" }],
  ["is interrupted after its effect", { kind: "interruptedAfter" }],
  ["is where the process is killed, before its effect", { kind: "crashes" }],
  ["is where the process is killed, after its effect", { kind: "crashesAfter" }]
]

const hasFailure = (call: string): boolean => !call.startsWith("Router.drain")

/** A port other than a store that fails has done nothing, so its answer cannot be lost. */
const applies = (call: string, fault: Fault): boolean => {
  if (fault.kind === "fails") return hasFailure(call) && (fault.reason === "unavailable" || /Store|Journal/.test(call))
  if (fault.kind === "loses") return /Store|Journal/.test(call)
  return true
}

/** Where the caller cannot know what was written: the Deployment may be left to a Dispatcher or to the Reaper. */
const endingCalls = /begin|admit|finish/

const takenFromQueue = Effect.gen(function* () {
  const { id: replica, terms } = yield* Replica
  const claim = yield* (yield* DeploymentStore).admit({ replica, terms })
  if (claim !== undefined) yield* carryOut(claim)
})

const callsOf = (redeploy: boolean) =>
  Effect.gen(function* () {
    const app = yield* begun(redeploy)
    const replica = yield* startReplica("one")
    yield* replica.run(deploy(asked(app)))
    return replica.script.calls
  }).pipe(Effect.provide(world))

const check = Effect.fnUntraced(function* (redeploy: boolean, call: string, fault: Fault) {
  const state = yield* MemoryState
  const app = yield* begun(redeploy)
  const before = servingOf(state, app.id)
  const replica = yield* startReplica("one")
  const killed = yield* deployedWith(replica, call, fault, app)
  const other = yield* startReplica("two")

  if (state.deployments.size > (redeploy ? 1 : 0)) {
    const row = yield* newest(app)
    const isUnknown = killed || endingCalls.test(call)
    if (!isUnknown) expect(isTerminal(row.deployment.status), `it is ${row.deployment.status} at once`).toBe(true)
    yield* other.run(takenFromQueue)
    yield* reapedLater(other)

    const { status } = row.deployment
    const serves = servingOf(state, app.id)
    if (status === "healthy") expect(serves.deployment).toBe(row.deployment.id)
    else expect(serves).toStrictEqual(before)
  }
  expectSettled(state, app.id)
})

describe.each([
  ["a first deployment", false],
  ["a deployment over a serving release", true]
] as const)("%s", (_, redeploy) => {
  it.effect.each(faults)("INV-7 INV-8 U4 H37: leaves nothing behind and tells the truth when any one call %s", ([, fault]) =>
    Effect.gen(function* () {
      const all = yield* Effect.provide(callsOf(redeploy), world)
      const affected = all.filter((call) => applies(call, fault))
      expect(affected.length).toBeGreaterThan(10)
      const broken = yield* Effect.forEach(affected, (call) =>
        check(redeploy, call, fault).pipe(
          Effect.provide(world),
          Effect.as([]),
          Effect.catchDefect((defect) => Effect.succeed([`${call}: ${String(defect)}`]))
        )
      )
      expect(broken.flat()).toStrictEqual([])
    })
  )
})
