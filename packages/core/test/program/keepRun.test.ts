// Who keeps a Run in its last moment: it is kept, or whoever asked is told that it is not.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import type { RunId } from "../../src/domain/Run.ts"
import type { RunStore } from "../../src/port/RunStore.ts"
import { cancelRun } from "../../src/program/cancelRun.ts"
import { keepRun } from "../../src/program/keepRun.ts"
import { fails, type Reaction } from "../../src/testing/Reaction.ts"
import { asked, begunRun, inMinutes, left, nothing, present, twoNodes } from "./runWorld.ts"
import { type ScriptedReplica, startReplica, world } from "./scripted.ts"

/** How a Run comes to its end: until when it is kept at first, and what happens to it. */
interface Ending {
  readonly keptMinutes?: number
  readonly prepare?: (one: ScriptedReplica) => void
  /** What somebody else does half a minute later; who keeps it before that is none of what is asked here. */
  readonly meanwhile?: (run: RunId) => Effect.Effect<unknown, unknown, RunStore>
  /** The last call before which it may still be said until when it is kept, and nothing comes of that. */
  readonly after?: string
}

const endings: ReadonlyArray<readonly [string, Ending]> = [
  ["whose steps are over", {}],
  ["whose time is over", { keptMinutes: 1 }],
  ["of which a step failed", { prepare: ({ script }) => void script.reactions.set("Provider.perform", fails) }],
  [
    "of which nothing was made",
    { prepare: ({ script }) => void script.reactions.set("Provider.resolve", fails), after: "RunStore.settle#1" }
  ],
  ["that is asked to end", { keptMinutes: 1, meanwhile: cancelRun }]
]

/** Begins and ends a Run, while at one call of its holder somebody else keeps it for an hour; answers the calls, and how that came out. */
const ended = Effect.fnUntraced(function* ({ keptMinutes, meanwhile, prepare }: Ending, at?: string) {
  const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
  prepare?.(one)
  const request = keptMinutes === undefined ? {} : { keepUntil: yield* inMinutes(keptMinutes) }
  let told: string | undefined
  const keeping: Reaction = (effect, refuse) =>
    Effect.gen(function* () {
      const answer = yield* Effect.result(two.run(keepRun(run, yield* inMinutes(60))))
      told = Result.isSuccess(answer) ? "kept" : answer.failure._tag
    }).pipe(Effect.orDie, Effect.andThen(other(effect, refuse)))
  const other = one.script.reactions.get((at ?? "").replace(/#.*/, "")) ?? ((effect) => effect)
  if (at !== undefined) one.script.reactions.set(at, keeping)
  const { fiber, run } = yield* begunRun(one, yield* asked(twoNodes, request))
  yield* TestClock.adjust("30 seconds")
  if (meanwhile !== undefined) {
    one.script.calls.length = 0
    yield* two.run(meanwhile(run))
  }
  yield* TestClock.adjust("1 minute")
  yield* Fiber.interrupt(fiber)
  return { calls: one.script.calls, told, run: yield* present(run), left: yield* left }
})

describe("a run", () => {
  it.effect.each(endings)(
    "H40: %s is kept by who is told so at any call of its holder, and by nobody else",
    ([, ending]) =>
      Effect.gen(function* () {
        const { calls, left, run } = yield* Effect.provide(ended(ending), world)
        expect(run.finishedAt).not.toBeNull()
        expect(left).toStrictEqual(nothing)
        const first = calls.indexOf(ending.after ?? "RunStore.create#1") + 1
        const points = calls.slice(first).filter((call) => !/Job|stopRequested/.test(call))
        expect(points.length).toBeGreaterThan(4)
        const answers = new Array<string>()
        for (const point of points) {
          const { left, run, told } = yield* Effect.provide(ended(ending, point), world)
          answers.push(`${point} ${told}`)
          const isKept = run.keepUntil !== null
          expect([point, isKept], JSON.stringify(run)).toStrictEqual([point, told === "kept"])
          if (isKept) expect(left).toMatchObject({ blocks: 1, slots: 1 })
          else expect([point, left]).toStrictEqual([point, nothing])
        }
        expect(answers.some((answer) => answer.endsWith("RunEnded"))).toBe(true)
      })
  )
})
