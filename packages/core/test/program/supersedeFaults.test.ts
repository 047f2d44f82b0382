// A Deployment that supersedes one in progress, while any one call of either goes wrong: the older one never becomes
// healthy, the two never overlap, what takes the traffic is there, and the next Deployment serves alone.
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { isTerminal } from "../../src/domain/Deployment.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { type Fault, faults, type Point, pointsOf, runWithFault } from "../../src/testing/everyFailpoint.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { expectOneAtATime, expectSettled, reapedLater, servingOf, whileTimePasses } from "./invariants.ts"
import { type Script, startReplica, world } from "./scripted.ts"

/** Where the older one hangs when the newer one comes. */
type Place = "its build" | "its health check"

type Side = "older" | "newer"

/** What becomes of each program; by default it runs as usual. */
type Runs = Readonly<Record<Side, <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.Effect<unknown, unknown, R>>>

const asUsual: Runs = { older: (program) => program, newer: (program) => program }

const hang = (script: Script, place: Place, reached: Effect.Effect<unknown>): void => {
  const hanging = Effect.andThen(reached, Effect.never)
  if (place === "its build") script.building = () => hanging
  else script.probing = hanging
}

/** The newer one comes when the older one hangs or is over; both end, or are cut off, while others reap. */
const meet = Effect.fnUntraced(function* (place: Place, runs: Runs) {
  const state = yield* MemoryState
  const app = yield* registered()
  yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  const [older, newer, other] = [
    yield* startReplica("older"),
    yield* startReplica("newer"),
    yield* startReplica("other")
  ]
  const comes = yield* Deferred.make<void>()
  const arrives = Deferred.succeed(comes, undefined)
  hang(older.script, place, arrives)

  const first = runs.older(Effect.provideContext(deploy(asked(app)), older.ports))
  const superseding = deploy(asked(app, { policy: "supersede" }))
  const second = Effect.andThen(Deferred.await(comes), runs.newer(Effect.provideContext(superseding, newer.ports)))
  const reaping = yield* Effect.forkDetach(
    Effect.forever(Effect.andThen(Effect.sleep("15 seconds"), Effect.ignore(other.run(reap()))))
  )
  const ended = yield* Effect.forkDetach(Effect.ensuring(Effect.exit(first), arrives))
  yield* whileTimePasses(Effect.exit(second))
  expect(servingOf(state, app.id).workload, "the traffic leads to what is there").toBeDefined()

  const last = yield* whileTimePasses(other.run(superseding))
  yield* whileTimePasses(Fiber.await(ended))
  yield* Fiber.interrupt(reaping)
  return { app, other, last }
})

/** The points that both reach to which nothing happens. */
const pointsOfBoth = Effect.fnUntraced(function* (place: Place) {
  const points: Record<Side, ReadonlyArray<Point>> = { older: [], newer: [] }
  const recorded =
    (side: Side): Runs[Side] =>
    (program) =>
      Effect.tap(pointsOf(program), (reached) => Effect.sync(() => void (points[side] = reached)))
  yield* meet(place, { older: recorded("older"), newer: recorded("newer") })
  return points
})

const check = Effect.fnUntraced(function* (place: Place, side: Side, point: Point, fault: Fault) {
  const state = yield* MemoryState
  let reached = false
  const faulty: Runs[Side] = (program) =>
    Effect.tap(runWithFault(program, point, fault), (attempt) => Effect.sync(() => void (reached = attempt.reached)))
  const { app, last, other } = yield* meet(place, { ...asUsual, [side]: faulty })
  yield* reapedLater(other)

  expect(reached, "the point is reached").toBe(true)
  expect(last.status).toBe("healthy")
  expect(servingOf(state, app.id).deployment).toBe(last.id)
  expectOneAtATime(state, app.id)
  expectSettled(state, app.id)
  const [, older] = [...state.deployments.values()]
  if (older?.deployment.policy === "reject") {
    expect(isTerminal(older.deployment.status)).toBe(true)
    expect(older.deployment.status).not.toBe("healthy")
  }
})

/** Stores may lose an answer; the failure of another port says that nothing was done. */
const applies = ({ canFail, name }: Point, fault: Fault): boolean =>
  fault === "loses its answer" ? canFail && /Store|Journal|Router/.test(name) : canFail || fault !== "fails"

/** How often somebody looks who waits is left to chance: the first looks stand for all. */
const isCertain = ({ name, nth }: Point): boolean => nth <= 3 || !/^DeploymentStore\.(?:admit|get)$/.test(name)

const places: ReadonlyArray<Place> = ["its build", "its health check"]
const sides: ReadonlyArray<Side> = ["older", "newer"]

describe.each(places)("while the older one hangs in %s", (place) => {
  describe.each(sides)("a call of the %s one", (side) => {
    it.effect.each(faults)(
      "U5 INV-2 INV-7: that %s leaves nothing, and the next Deployment serves alone",
      (fault) =>
        Effect.gen(function* () {
          const points = (yield* Effect.provide(pointsOfBoth(place), world))[side]
          const affected = points.filter((point) => applies(point, fault) && isCertain(point))
          expect(affected.length).toBeGreaterThan(5)
          const broken = yield* Effect.forEach(affected, (point) =>
            check(place, side, point, fault).pipe(
              Effect.provide(world),
              Effect.as([]),
              Effect.catchCause((cause) => Effect.succeed([`${point.name}#${point.nth}: ${String(cause)}`]))
            )
          )
          expect(broken.flat()).toStrictEqual([])
        }),
      120_000
    )
  })
})
