// Cutting off the beginning of a history claims nothing new: where a history can be explained up to its last answer, so can
// what is left of it after every cut, from the states that the cut names.

import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { envMap } from "../../src/testing/envMap.ts"
import { type Entries, withoutBeginning } from "../../src/testing/internal/parts.ts"
import { entriesOf, search } from "../../src/testing/internal/search.ts"
import type { SequentialModel } from "../../src/testing/SequentialModel.ts"
import { statusRegister } from "../../src/testing/statusRegister.ts"
import { atomicHistory, envInput, registerInput, statusInput } from "../support/arbitraryHistories.ts"
import { ok } from "../support/histories.ts"
import { register } from "../support/registerAndQueue.ts"
import { type Sequential, sequentialEnv, sequentialStatus } from "../support/Sequential.ts"

const laws = <State, Input, Output>(
  name: string,
  model: SequentialModel<State, Input, Output>,
  object: Sequential<State, Input, Output>,
  input: fc.Arbitrary<Input>,
  read: Input,
  impossible: Output
) =>
  describe(`X18 the beginning of a history of ${name}`, () => {
    const size = { minLength: 20, maxLength: 40, processes: 4, losesAnswers: true }

    it("can be cut off wherever the search passed", () => {
      fc.assert(
        fc.property(atomicHistory(object, input, size), (history) => {
          const culprit = ok("culprit", [1000, 1001], read, impossible)
          const prefix = entriesOf(model, [...history, culprit])
          const cuts: Array<readonly [SequentialModel<State, Input, Output>, Entries<Input, Output>]> = []
          withoutBeginning(model, prefix, (later, tail) => {
            cuts.push([later, tail])
            return false
          })
          expect(cuts.length).toBeGreaterThan(0)
          for (const [later, tail] of cuts) {
            const explained = tail.filter(({ operation }) => operation !== culprit)
            expect(search(later, explained, 2_000).type).not.toBe("none")
            expect(search(later, tail, 2_000).type).not.toBe("found")
          }
        }),
        { numRuns: 100 }
      )
    })
  })

laws("an Env", envMap, sequentialEnv, envInput, { type: "read" }, { type: "read", revision: 1, entries: { X: "1" } })
laws(
  "a status",
  statusRegister,
  sequentialStatus,
  statusInput,
  { type: "read" },
  { type: "read", status: "x", fence: 0 }
)
laws("a register", register, register, registerInput(8), { type: "read" }, -1)
