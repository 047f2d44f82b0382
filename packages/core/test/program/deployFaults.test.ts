// Every way in which every port call of a Deployment can go wrong, one at a time: whatever it is, nothing is left behind,
// what served still serves, and the Deployment says truthfully how it ended.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { App } from "../../src/domain/App.ts"
import { isTerminal } from "../../src/domain/Deployment.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import type { StoreError } from "../../src/port/StoreError.ts"
import { carryOut, deploy } from "../../src/program/deploy.ts"
import { Replica } from "../../src/program/Replica.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, newest, reapedLater, servingOf } from "./invariants.ts"
import { crashes, crashesAfter, dies, diesAfter, fails, loses, makeHold, startReplica, world } from "./scripted.ts"

type Kind = "fails" | "loses" | "dies" | "diesAfter" | "heldBefore" | "heldAfter" | "crashes" | "crashesAfter"

interface Fault {
  readonly kind: Kind
  readonly reason: StoreError["reason"]
}

const faults: ReadonlyArray<readonly [string, Fault]> = [
  ["fails before its effect", { kind: "fails", reason: "unavailable" }],
  ["fails for good before its effect", { kind: "fails", reason: "unexpected" }],
  ["loses its answer", { kind: "loses", reason: "unavailable" }],
  ["loses its answer for good", { kind: "loses", reason: "unexpected" }],
  ["dies before its effect", { kind: "dies", reason: "unavailable" }],
  ["dies after its effect", { kind: "diesAfter", reason: "unavailable" }],
  ["is interrupted before its effect", { kind: "heldBefore", reason: "unavailable" }],
  ["is interrupted after its effect", { kind: "heldAfter", reason: "unavailable" }],
  ["is where the process is killed, before its effect", { kind: "crashes", reason: "unavailable" }],
  ["is where the process is killed, after its effect", { kind: "crashesAfter", reason: "unavailable" }]
]

/** Stores fail in two ways and may lose an answer; the failure of another port says that nothing was done. */
const applies = (call: string, { kind, reason }: Fault): boolean => {
  const isStore = /Store|Journal/.test(call)
  if (kind === "fails") return !call.startsWith("Router.drain") && (isStore || reason === "unavailable")
  return kind !== "loses" || isStore
}

/** Where the caller cannot know what was written: the Deployment may be left to the queue or to the Reaper. */
const isUnknownAfter = (call: string, { kind, reason }: Fault): boolean =>
  kind.startsWith("crashes") ||
  (call.startsWith("DeploymentStore.begin") && kind !== "fails") ||
  (call.startsWith("DeploymentStore.admit") && kind !== "fails") ||
  (call.startsWith("DeploymentStore.finish") && (kind.startsWith("dies") || reason === "unexpected"))

/** Where what is left over is the Reaper's, because its release or its record could not be made. */
const isLeftOver = (call: string, { kind }: Fault): boolean =>
  /finish|intend|held|drain|stop|released/.test(call) || kind.startsWith("held")

const begun = Effect.fnUntraced(function* (redeploy: boolean) {
  const app = yield* registered()
  if (redeploy) yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  return app
})

/** The calls of a Deployment to which nothing happens. */
const callsOf = Effect.fnUntraced(function* (redeploy: boolean) {
  const app = yield* begun(redeploy)
  const replica = yield* startReplica("one")
  yield* replica.run(deploy(asked(app)))
  return replica.script.calls
})

/** Deploys while one call goes wrong, until nothing more happens. */
const deployedWith = Effect.fnUntraced(function* (app: App, call: string, fault: Fault) {
  const { script, run } = yield* startReplica("one")
  const hold = yield* makeHold
  const reactions = {
    fails,
    loses,
    dies,
    diesAfter,
    heldBefore: hold.before,
    heldAfter: hold.after,
    crashes: crashes(script),
    crashesAfter: crashesAfter(script)
  }
  script.reason = fault.reason
  script.reactions.set(call, reactions[fault.kind])

  const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
  if (fault.kind.startsWith("held")) {
    yield* Effect.raceFirst(hold.reached, Fiber.await(fiber))
    const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
    yield* Effect.yieldNow
    yield* hold.release
    yield* driven(interrupting)
  }
  if (!fault.kind.startsWith("crashes")) yield* driven(fiber)
  while (!script.crashed && fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
})

const takenFromQueue = Effect.gen(function* () {
  const { id: replica, terms } = yield* Replica
  const claim = yield* (yield* DeploymentStore).admit({ replica, terms })
  if (claim !== undefined) yield* carryOut(claim)
})

const check = Effect.fnUntraced(function* (redeploy: boolean, call: string, fault: Fault) {
  const state = yield* MemoryState
  const app = yield* begun(redeploy)
  const before = servingOf(state, app.id)
  yield* deployedWith(app, call, fault)

  if (state.deployments.size > (redeploy ? 1 : 0)) {
    const row = yield* newest(app)
    const isUnknown = isUnknownAfter(call, fault)
    if (!isUnknown) expect(isTerminal(row.deployment.status), `it is ${row.deployment.status} at once`).toBe(true)
    if (!isUnknown && !isLeftOver(call, fault)) expectSettled(state, app.id)

    const other = yield* startReplica("two")
    yield* other.run(takenFromQueue)
    yield* reapedLater(other)

    const log = state.logs.get(`deployment/${row.deployment.id}`)
    if (!isUnknown && !/admit|begin|LogStore/.test(call)) expect(log?.ended, "its log has ended").toBe(true)
    const serves = servingOf(state, app.id)
    if (row.deployment.status === "healthy") expect(serves.deployment).toBe(row.deployment.id)
    else expect(serves).toStrictEqual(before)
  }
  expectSettled(state, app.id)
})

describe.each([
  ["a first deployment", false],
  ["a deployment over a serving release", true]
] as const)("%s", (_, redeploy) => {
  it.effect.each(faults)("INV-7 INV-8 U4 H37: leaves nothing and tells the truth when any one call %s", ([, fault]) =>
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
