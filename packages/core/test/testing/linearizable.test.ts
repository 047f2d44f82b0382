// The checker against an oracle that tries every order, on random histories that are right, broken or anything between.
// A failure prints the seed and the path with which fast-check brings the same history back.

import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { envMap } from "../../src/testing/envMap.ts"
import type { Operation } from "../../src/testing/History.ts"
import { expectLinearizable, linearizable } from "../../src/testing/linearizable.ts"
import type { SequentialModel } from "../../src/testing/SequentialModel.ts"
import { statusRegister } from "../../src/testing/statusRegister.ts"
import {
  atomicHistory,
  droppedWrite,
  envInput,
  foreignAnswer,
  type HistorySize,
  type Mutation,
  registerInput,
  resurrectedValue,
  statusInput,
  swappedTimes
} from "../support/arbitraryHistories.ts"
import { ok, unknown } from "../support/histories.ts"
import { queue, register, type RegisterInput, type RegisterOutput } from "../support/registerAndQueue.ts"
import {
  fits,
  isLinearizable,
  respectsTime,
  type Sequential,
  sequentialEnv,
  sequentialStatus
} from "../support/Sequential.ts"

const mutations: Readonly<Record<string, Mutation>> = { foreignAnswer, swappedTimes, droppedWrite, resurrectedValue }
const small: HistorySize = { minLength: 4, maxLength: 6, processes: 3, losesAnswers: true }
const middle: HistorySize = { minLength: 20, maxLength: 40, processes: 4, losesAnswers: true }
const long: HistorySize = { minLength: 300, maxLength: 400, processes: 8, losesAnswers: false }

const anyMutation: fc.Arbitrary<Mutation> = fc.constantFrom(...Object.values(mutations))

/** Histories that are broken zero to three times. */
const anyHistory = <State, Input, Output>(
  object: Sequential<State, Input, Output>,
  input: fc.Arbitrary<Input>
): fc.Arbitrary<ReadonlyArray<Operation<Input, Output>>> =>
  fc
    .tuple(atomicHistory(object, input, small), fc.array(fc.tuple(anyMutation, fc.nat(), fc.nat()), { maxLength: 3 }))
    .map(([history, steps]) => steps.reduce((broken, [mutate, pick, other]) => mutate(broken, pick, other), history))

/** Whether a verdict can be trusted without trusting the checker: the order that it found, or the offence, is looked at. */
const isProved = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  object: Sequential<State, Input, Output>,
  history: ReadonlyArray<Operation<Input, Output>>
): boolean => {
  const verdict = linearizable(model, history)
  if (verdict.type === "notLinearizable") {
    const { initial, operations } = verdict.offence
    return initial.length > 0 && !isLinearizable({ ...object, initial }, operations)
  }
  const order = verdict.type === "linearizable" ? (verdict.orders.get("object") ?? []) : []
  const isComplete = history.every((operation) => operation.outcome.type !== "ok" || order.includes(operation))
  const isPart = order.every((operation) => history.includes(operation) && operation.outcome.type !== "fail")
  return isComplete && isPart && respectsTime(order) && object.initial.some((state) => fits(object, state, order))
}

/** The laws of the checker over one object. `detected` is the least share of broken histories that must be found out. */
const laws = <State, Input, Output>(
  name: string,
  model: SequentialModel<State, Input, Output>,
  object: Sequential<State, Input, Output>,
  input: fc.Arbitrary<Input>,
  detected: Readonly<Record<string, number>>
) =>
  describe(`X18 for ${name} the checker`, () => {
    it("says what the oracle says, and proves it", () => {
      fc.assert(
        fc.property(anyHistory(object, input), (history) => {
          const expected = isLinearizable(object, history) ? "linearizable" : "notLinearizable"
          expect(linearizable(model, history).type).toBe(expected)
          expect(isProved(model, object, history)).toBe(true)
        }),
        { numRuns: 5000 }
      )
    })

    it("meets good and bad histories in that comparison", () => {
      const sample = fc.sample(anyHistory(object, input), { numRuns: 500, seed: 1 })
      const bad = sample.filter((history) => !isLinearizable(object, history)).length
      expect(bad).toBeGreaterThan(50)
      expect(bad).toBeLessThan(450)
    })

    it.each([middle, long])("accepts what an atomic object did in $maxLength operations", (size) => {
      fc.assert(
        fc.property(atomicHistory(object, input, size), (history) => {
          expect(linearizable(model, history).type).toBe("linearizable")
        }),
        { numRuns: 50 }
      )
    })

    it.each(Object.entries(detected))("notices %s in at least %d of 100 longer histories", (mutation, share) => {
      const broken = fc.tuple(atomicHistory(object, input, { ...middle, losesAnswers: false }), fc.nat(), fc.nat())
      const sample = fc.sample(broken, { numRuns: 100, seed: 7 })
      const noticed = sample.filter(
        ([history, pick, other]) =>
          linearizable(model, mutations[mutation]?.(history, pick, other) ?? []).type === "notLinearizable"
      )
      expect(noticed.length).toBeGreaterThanOrEqual(share)
    })
  })

laws("an Env", envMap, sequentialEnv, envInput, {
  foreignAnswer: 90,
  swappedTimes: 85,
  droppedWrite: 95,
  resurrectedValue: 50
})

laws("a status", statusRegister, sequentialStatus, statusInput, {
  foreignAnswer: 80,
  swappedTimes: 55,
  droppedWrite: 65,
  resurrectedValue: 50
})

laws("a register", register, register, registerInput(8), {
  foreignAnswer: 40,
  swappedTimes: 50,
  droppedWrite: 35,
  resurrectedValue: 50
})

describe("X18 the checker", () => {
  /** Blind writes at the same time, and a read of what none of them wrote: every order has to be tried. */
  const hard = (key: string, writers: number) =>
    [
      ...Array.from({ length: writers }, (_, value) =>
        ok(`w${value}`, [0, 10], { type: "write", value } as const, null)
      ),
      ok("reader", [5, 20], { type: "read" } as const, -1)
    ].map((operation) => ({ ...operation, key }))

  it("decides nothing when the budget is spent, and never calls that linearizable", () => {
    for (const budget of [10, 100, 1000]) {
      expect(linearizable(register, hard("a", 12), { budget })).toMatchObject({ type: "undecided", key: "a" })
    }
    expect(linearizable(register, hard("a", 12)).type).toBe("notLinearizable")
  })

  it("lets an offence outweigh what is undecided, and that outweigh the rest", () => {
    const good = { ...ok("p", [0, 1], { type: "read" } as const, 0), key: "good" }
    const bad = { ...ok("p", [0, 1], { type: "read" } as const, 1), key: "bad" }
    const judge = (history: ReadonlyArray<Operation<RegisterInput, RegisterOutput>>) => {
      const verdict = linearizable(register, history, { budget: 10 })
      return verdict.type === "linearizable" ? [...verdict.orders.keys()] : [verdict.type, verdict.key]
    }
    expect(judge([good])).toEqual(["good"])
    expect(judge([...hard("hard", 9), good])).toEqual(["undecided", "hard"])
    expect(judge([good, ...hard("hard", 9), bad])).toEqual(["notLinearizable", "bad"])
  })

  it("judges keys apart, and operations in any order", () => {
    const one = atomicHistory(register, registerInput(8), { ...middle, losesAnswers: false })
    fc.assert(
      fc.property(one, one, fc.infiniteStream(fc.nat()), (a, b, order) => {
        const history = [...a, ...b.map((operation) => ({ ...operation, key: "other" }))]
        const shuffled = history
          .map((operation) => ({ operation, place: Number(order.next().value) }))
          .sort((x, y) => x.place - y.place)
          .map(({ operation }) => operation)
        expect(linearizable(register, shuffled).type).toBe("linearizable")
      }),
      { numRuns: 50 }
    )
  })

  it("decides what sixteen lost answers at the end leave open", () => {
    const merge = (key: string) => ({ type: "merge", changes: { [key]: "1" } }) as const
    const lost = Array.from({ length: 16 }, (_, index) => unknown(`w${index}`, 2 * index, merge(`K${index}`)))
    const read = (revision: number, entries: Readonly<Record<string, string>>) =>
      ok("reader", [50, 60], { type: "read" } as const, { type: "read", revision, entries } as const)
    const good = linearizable(envMap, [...lost, read(2, { K3: "1", K7: "1" })])
    expect(good.type).toBe("linearizable")
    expect(good.visited).toBeLessThan(1000)
    expect(linearizable(envMap, [...lost, read(2, { K3: "1" })]).type).toBe("notLinearizable")
  })

  it("needs no stack of its own size: ten thousand operations one after the other", () => {
    const history = Array.from({ length: 10_000 }, (_, index) =>
      ok("p", [2 * index, 2 * index + 1], { type: "write", value: index } as const, null)
    )
    expect(linearizable(register, history)).toMatchObject({ type: "linearizable", visited: 10_001 })
  })

  it("finds an empty history linearizable", () => {
    expect(linearizable(queue, [])).toEqual({ type: "linearizable", visited: 0, orders: new Map() })
  })

  it.effect("is an assertion of a law: it passes, or fails with the offence, or because nothing is decided", () =>
    Effect.gen(function* () {
      yield* expectLinearizable(register, [unknown("p", 0, { type: "write", value: 1 } as const)])
      const bad = yield* Effect.flip(expectLinearizable(register, [ok("p", [0, 1], { type: "read" } as const, 7)]))
      expect(bad.actual).toContain("object is not linearizable")
      const undecided = yield* Effect.flip(expectLinearizable(register, hard("a", 12), { budget: 10 }))
      expect(undecided.actual).toMatch(/^for a nothing is decided after \d+ configurations$/)
    })
  )
})
