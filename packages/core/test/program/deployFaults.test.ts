// Every way in which every port call of a Deployment can go wrong, one at a time: whatever it is, nothing is left behind,
// what served still serves, and the Deployment says truthfully how it ended.
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { App } from "../../src/domain/App.ts"
import { isTerminal } from "../../src/domain/Deployment.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { type Point, pointsOf, runWithFault } from "../../src/testing/everyFailpoint.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { type FaultCase as Case, faultCases as cases } from "./faultCases.ts"
import { driven, expectSettled, newest, reapedLater, servingOf, takenFromQueue } from "./invariants.ts"
import { startReplica, world } from "./scripted.ts"

/** Stores fail in two ways. They and a Router may lose an answer; the failure of another port says that nothing was done. */
const applies = (point: Point, { fault, reason }: Case): boolean => {
  const isStore = /Store|Journal/.test(point.name)
  if (fault === "fails") return point.canFail && (isStore || reason === "unavailable")
  return fault !== "loses its answer" || isStore || (point.canFail && point.name.startsWith("Router."))
}

/** Where the caller cannot know what was written: the Deployment may be left to the queue or to the Reaper. */
const isUnknownAfter = ({ name }: Point, { fault, reason }: Case): boolean =>
  fault.startsWith("is cut off") ||
  (name === "DeploymentStore.begin" && fault !== "fails") ||
  (name === "DeploymentStore.admit" && fault !== "fails") ||
  (name === "DeploymentStore.finish" && (fault.startsWith("dies") || reason === "unexpected"))

/** Where what is left over is the Reaper's, because its release or its record could not be made. */
const isLeftOver = ({ name, nth }: Point, { fault }: Case): boolean =>
  /finish|intend|held|drain|stop|released/.test(name) ||
  (name === "Router.current" && nth > 1) ||
  fault.startsWith("is interrupted")

const begun = Effect.fnUntraced(function* (redeploy: boolean) {
  const app = yield* registered({ preDeploy: ["migrate"] })
  if (redeploy) yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  return app
})

/** The points that a Deployment reaches to which nothing happens. */
const pointsOfDeploy = Effect.fnUntraced(function* (redeploy: boolean) {
  const app = yield* begun(redeploy)
  const { ports } = yield* startReplica("one")
  return yield* pointsOf(Effect.provideContext(deploy(asked(app)), ports))
})

/** Deploys while one call goes wrong, until nothing more happens. */
const deployedWith = Effect.fnUntraced(function* (app: App, point: Point, { fault, reason }: Case) {
  const { ports, script } = yield* startReplica("one")
  script.reason = reason
  const { reached } = yield* runWithFault(Effect.provideContext(deploy(asked(app)), ports), point, fault, driven)
  expect(reached, "the point is reached").toBe(true)
  expect(script.misled, "stopped while traffic went there").toStrictEqual([])
})

const check = Effect.fnUntraced(function* (redeploy: boolean, point: Point, fault: Case) {
  const state = yield* MemoryState
  const app = yield* begun(redeploy)
  const before = servingOf(state, app.id)
  yield* deployedWith(app, point, fault)

  if (state.deployments.size > (redeploy ? 1 : 0)) {
    const row = yield* newest(app)
    const isUnknown = isUnknownAfter(point, fault)
    if (!isUnknown) expect(isTerminal(row.deployment.status), `it is ${row.deployment.status} at once`).toBe(true)
    if (!isUnknown && !isLeftOver(point, fault)) expectSettled(state, app.id)

    const other = yield* startReplica("two")
    yield* other.run(takenFromQueue)
    yield* reapedLater(other)
    expect(other.script.misled, "stopped by another while traffic went there").toStrictEqual([])

    const log = state.logs.get(`deployment/${row.deployment.id}`)
    if (!isUnknown && !/admit|begin|LogStore|Hints/.test(point.name)) expect(log?.ended, "its log has ended").toBe(true)
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
  it.effect.each(cases)("INV-7 INV-8 U4 H37: leaves nothing and tells the truth when any one call %s", ([, fault]) =>
    Effect.gen(function* () {
      const all = yield* Effect.provide(pointsOfDeploy(redeploy), world)
      const affected = all.filter((point) => applies(point, fault))
      expect(affected.length).toBeGreaterThan(10)
      const broken = yield* Effect.forEach(affected, (point) =>
        check(redeploy, point, fault).pipe(
          Effect.provide(world),
          Effect.as([]),
          Effect.catchDefect((defect) => Effect.succeed([`${point.name}#${point.nth}: ${String(defect)}`]))
        )
      )
      expect(broken.flat()).toStrictEqual([])
    })
  )
})
