// What the checker shows of a history that is not linearizable: little, with the culprit in it, and nothing that the whole
// history does not prove.

import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { envMap } from "../../src/testing/envMap.ts"
import type { Operation } from "../../src/testing/History.ts"
import { linearizable } from "../../src/testing/linearizable.ts"
import type { SequentialModel } from "../../src/testing/SequentialModel.ts"
import { statusRegister } from "../../src/testing/statusRegister.ts"
import { atomicHistory, envInput, registerInput, statusInput } from "../support/arbitraryHistories.ts"
import { ok, unknown } from "../support/histories.ts"
import { register, type RegisterInput } from "../support/registerAndQueue.ts"
import { type Sequential, sequentialEnv, sequentialStatus } from "../support/Sequential.ts"

const long = { minLength: 800, maxLength: 1000, processes: 8, losesAnswers: false }

/** A read in the second half of a history that answers what no read can. */
const planted = <Input extends { readonly type: string }, Output>(
  history: ReadonlyArray<Operation<Input, Output>>,
  output: Output
) => {
  const culprit = history.find(({ input }, index) => index > history.length / 2 && input.type === "read")
  const outcome = culprit?.outcome
  if (culprit === undefined || outcome?.type !== "ok") return undefined
  const wrong = { ...culprit, outcome: { ...outcome, output } }
  return { wrong, returnedAt: outcome.returnedAt, history: history.map((each) => (each === culprit ? wrong : each)) }
}

const shown = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: ReadonlyArray<Operation<Input, Output>>
) => {
  const verdict = linearizable(model, history)
  return verdict.type === "notLinearizable" ? verdict : expect.fail("it is not found out")
}

const laws = <State, Input extends { readonly type: string }, Output>(
  name: string,
  model: SequentialModel<State, Input, Output>,
  object: Sequential<State, Input, Output>,
  input: fc.Arbitrary<Input>,
  impossible: Output
) =>
  describe(`X18 the offence in a long history of ${name}`, () => {
    const property = (check: (bad: NonNullable<ReturnType<typeof planted<Input, Output>>>) => void) =>
      fc.assert(
        fc.property(atomicHistory(object, input, long), (history) => {
          const bad = planted(history, impossible)
          if (bad !== undefined) check(bad)
        }),
        { numRuns: 8, endOnFailure: true }
      )

    it("is small and holds the culprit", () => {
      property(({ history, wrong }) => {
        const { offence } = shown(model, history)
        expect(offence.operations).toContain(wrong)
        expect(offence.operations.length).toBeLessThanOrEqual(20)
        expect(offence.earlier).toBeGreaterThan(100)
        expect(offence.isShortest).toBe(true)
      })
    })

    it("is not linearizable itself, and would be without any of its reads", () => {
      property(({ history }) => {
        const { operations, initial } = shown(model, history).offence
        const judge = (part: typeof operations) => linearizable({ ...model, initial }, part).type
        const reads = operations.filter(({ input, outcome }) => outcome.type === "ok" && input.type === "read")
        expect(judge(operations)).toBe("notLinearizable")
        expect(reads.map((read) => judge(operations.filter((each) => each !== read)))).toEqual(
          reads.map(() => "linearizable")
        )
      })
    })

    it("ends when the shortest beginning of the history that is not linearizable ends", () => {
      property(({ history, returnedAt }) => {
        const ends = shown(model, history).offence.operations.map(({ outcome }) =>
          outcome.type === "ok" ? outcome.returnedAt : 0n
        )
        expect(ends.reduce((a, b) => (a > b ? a : b))).toBe(returnedAt)
      })
    })
  })

laws("an Env", envMap, sequentialEnv, envInput, { type: "read", revision: 1, entries: { NEVER: "1" } })
laws("a status", statusRegister, sequentialStatus, statusInput, { type: "read", status: "never", fence: 1 })
laws("a register", register, register, registerInput(8), -1)

describe("X18 the report of an offence", () => {
  const write = (value: number): RegisterInput => ({ type: "write", value })
  const read: RegisterInput = { type: "read" }

  it("has a line for each operation, in the order of the calls, and how far an explanation gets", () => {
    const { report } = shown(register, [
      ok("A", [1_000_000, 2_000_000], write(1), null),
      ok("B", [3_000_000, 9_000_000], write(2), null),
      ok("C", [3_500_000, 4_000_000], read, 2),
      ok("C", [5_000_000, 6_500_000], read, 1),
      ok("A", [7_000_000, 8_000_000], read, 2),
      unknown("D", 8_000_000, read)
    ])
    expect(report.split("\n")).toEqual([
      "object is not linearizable",
      "It begins as",
      "  0",
      "No order explains these answers, where ? is unknown or left out",
      "  0.000 to 1.000 ms  A: write 1 -> null",
      "  2.000 to ? ms      B: write 2 -> ?",
      "  2.500 to 3.000 ms  C: read -> 2",
      "  4.000 to 5.500 ms  C: read -> 1",
      "The longest explanation has 3 of them",
      "  A: write 1 -> null",
      "  B: write 2 -> ?",
      "  C: read -> 2",
      "and leads to",
      "  2",
      "where nothing that is possible comes before this returns",
      "  C: read -> 1"
    ])
  })

  it("keeps a write that nobody read, as it may explain an answer", () => {
    const { offence } = shown(register, [unknown("A", 0, write(5)), ok("B", [1, 2], read, 0), ok("B", [3, 4], read, 7)])
    expect(offence.operations.map(({ process }) => process)).toEqual(["A", "B"])
  })

  it("does not take what an operation answered later for known, nor a cut that no explanation reaches for proof", () => {
    const takeOvers = [
      ok("A", [0, 99], { type: "takeOver" } as const, { type: "taken", fence: 2 } as const),
      ok("B", [1, 2], { type: "takeOver" } as const, { type: "taken", fence: 2 } as const)
    ]
    const reads = Array.from({ length: 20 }, (_, index) =>
      ok(
        "C",
        [3 + 2 * index, 4 + 2 * index],
        { type: "read" } as const,
        { type: "read", status: "queued", fence: 2 } as const
      )
    )
    const { offence } = shown(statusRegister, [...takeOvers, ...reads])
    expect(offence).toMatchObject({
      initial: statusRegister.initial,
      earlier: 0,
      operations: takeOvers,
      isShortest: true
    })
  })
})
