// Every way in which every port call of a Run can go wrong, one at a time: whatever it is, nothing is left behind once another
// replica has looked, and the Run has said once, and truthfully, how it ended.
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { isOver, runTransitions } from "../../src/domain/Run.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { reap } from "../../src/program/reap.ts"
import { reapRuns } from "../../src/program/reapRuns.ts"
import { runTopology } from "../../src/program/runTopology.ts"
import { type Point, pointsOf, runWithFault } from "../../src/testing/everyFailpoint.ts"
import { type FaultCase as Case, faultCases as cases } from "./faultCases.ts"
import { driven, whileTimePasses } from "./invariants.ts"
import { asked, left, nothing, statusesOf, twoNodes } from "./runWorld.ts"
import { type ScriptedReplica, startReplica, world } from "./scripted.ts"

const applies = (point: Point, { fault, reason }: Case): boolean => {
  const isStore = point.name.includes("Store.")
  if (fault === "fails") return point.canFail && (isStore || reason === "unavailable")
  return fault !== "loses its answer" || (point.canFail && (isStore || reason === "unavailable"))
}

/** Lets every lease run out, and has another replica look twice. */
const reapedLater = Effect.fnUntraced(function* (other: ScriptedReplica) {
  yield* TestClock.adjust("11 minutes")
  yield* whileTimePasses(other.run(Effect.andThen(reap(), reapRuns())))
  yield* whileTimePasses(other.run(reapRuns()))
})

/** Another replica that has a Run behind it, so that it has made the Provider. */
const other = Effect.gen(function* () {
  const replica = yield* startReplica("two")
  yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
  return replica
})

const check = Effect.fnUntraced(function* (point: Point, { fault, reason }: Case) {
  const { runs } = yield* MemoryState
  const two = yield* other
  const [earlier] = runs.keys()
  const { ports, script } = yield* startReplica("one")
  script.reason = reason
  const program = Effect.provideContext(runTopology(yield* asked(twoNodes)), ports)
  const { exit, reached } = yield* runWithFault(program, point, fault, driven)
  expect(reached, "the point is reached").toBe(true)
  yield* reapedLater(two)

  expect(yield* left).toStrictEqual(nothing)
  for (const { run } of runs.values()) {
    if (run.id === earlier) continue
    expect(isOver(run.status), run.status).toBe(true)
    const statuses = yield* statusesOf(run.id)
    expect(statuses.at(-1)).toBe(run.status)
    for (const [index, to] of statuses.entries()) {
      const from = statuses[index - 1]
      if (from !== undefined) expect(runTransitions[from], `${from} to ${to}`).toContain(to)
    }
    expect(run.cleanup).toBe("done")
    expect(run.error === null).toBe(run.status !== "failed")
    if (run.status === "succeeded") expect(run.verdict).toBe("pass")
    if (fault.startsWith("is cut off") && run.status === "failed") expect(run.error?.code).toBe("server_lost")
    if (fault.startsWith("is interrupted")) expect(run.error?.code).not.toBe("server_lost")
    if (exit?._tag === "Success") expect(exit.value.status).toBe(run.status)
  }
})

describe("a run", () => {
  it.effect.each(cases)(
    "H37 H41 H29 B16 B20 B26 INV-15: leaves nothing and tells the truth when any one call %s",
    ([, fault]) =>
      Effect.gen(function* () {
        const all = yield* Effect.provide(
          Effect.gen(function* () {
            const { ports } = yield* startReplica("one")
            const points = pointsOf(Effect.provideContext(runTopology(yield* asked(twoNodes)), ports))
            return yield* whileTimePasses(points)
          }),
          world
        )
        const affected = all.filter((point) => applies(point, fault))
        expect(affected.length).toBeGreaterThan(10)
        const broken = yield* Effect.forEach(affected, (point) =>
          check(point, fault).pipe(
            Effect.provide(world),
            Effect.as([]),
            Effect.catchCause((cause) => Effect.succeed([`${point.name}#${point.nth}: ${String(cause).slice(0, 600)}`]))
          )
        )
        expect(broken.flat()).toStrictEqual([])
      })
  )
})
