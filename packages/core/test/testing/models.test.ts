// What the search and the shortening rely on in every model, and that the models agree with objects written apart from them.

import { describe, expect, it } from "@effect/vitest"
import { Option } from "effect"
import * as fc from "fast-check"
import { envMap } from "../../src/testing/envMap.ts"
import type { SequentialModel } from "../../src/testing/SequentialModel.ts"
import { statusRegister } from "../../src/testing/statusRegister.ts"
import { envInput, statusInput } from "../support/arbitraryHistories.ts"
import { type Sequential, sequentialEnv, sequentialStatus } from "../support/Sequential.ts"

const laws = <State, Input, Output>(
  name: string,
  model: SequentialModel<State, Input, Output>,
  object: Sequential<State, Input, Output>,
  input: fc.Arbitrary<Input>
) =>
  describe(`X18 the model of ${name}`, () => {
    const reached = fc.tuple(fc.array(input, { maxLength: 12 }), input).map(([steps, last]) => {
      const states = steps.reduce((states, step) => states.map((state) => object.run(state, step)[0]), object.initial)
      return { states, input: last }
    })
    const outputs = fc.tuple(reached, reached).map(([{ states, input }, other]) => ({
      states: [...states, ...other.states],
      input,
      output: states.map((state) => object.run(state, input)[1])
    }))

    it("answers what the object answers, and nothing else", () => {
      fc.assert(
        fc.property(reached, reached, ({ states, input }, other) => {
          for (const state of states) {
            const [next, output] = object.run(state, input)
            expect(model.step(state, input, Option.some(output)).map(model.fingerprint)).toEqual([
              model.fingerprint(next)
            ])
            for (const elsewhere of other.states) {
              const foreign = object.run(elsewhere, other.input)[1]
              const isSame = JSON.stringify(foreign) === JSON.stringify(output)
              expect(model.step(state, input, Option.some(foreign)).length).toBe(isSame ? 1 : 0)
            }
          }
        }),
        { numRuns: 1000 }
      )
    })

    it("allows without an answer whatever it allows with one", () => {
      fc.assert(
        fc.property(outputs, ({ states, input, output: [output] }) => {
          for (const state of states) {
            const without = model.step(state, input, Option.none()).map(model.fingerprint)
            const known = model.step(state, input, Option.fromUndefinedOr(output)).map(model.fingerprint)
            expect(without).toEqual(expect.arrayContaining(known))
          }
        })
      )
    })

    it("says of no output that it is past which a state still leads to", () => {
      fc.assert(
        fc.property(fc.array(input, { minLength: 1, maxLength: 12 }), fc.nat(), (inputs, at) => {
          const from = at % inputs.length
          const before = inputs
            .slice(0, from)
            .reduce((states, step) => states.map((state) => object.run(state, step)[0]), object.initial)
          for (const start of before) {
            let state = start
            for (const step of inputs.slice(from)) {
              const [next, output] = object.run(state, step)
              expect(model.isPast?.(start, output)).toBe(false)
              state = next
            }
          }
        }),
        { numRuns: 1000 }
      )
    })

    it("says of no operation that it only reads that changes a state", () => {
      fc.assert(
        fc.property(outputs, ({ states, input, output: [output] }) => {
          for (const answer of [Option.none(), Option.fromUndefinedOr(output)]) {
            if (!model.isReadOnly(input, answer)) continue
            for (const state of states) {
              for (const next of model.step(state, input, answer)) {
                expect(model.fingerprint(next)).toBe(model.fingerprint(state))
              }
            }
          }
        }),
        { numRuns: 1000 }
      )
    })
  })

laws("an Env", envMap, sequentialEnv, envInput)
laws("a status", statusRegister, sequentialStatus, statusInput)

describe("X18 the model of an Env", () => {
  it("tells states apart by their revision and by every byte of their entries, and not by the order of these", () => {
    const prints = [
      { revision: 1, entries: new Map([["A", "1"]]) },
      { revision: 2, entries: new Map([["A", "1"]]) },
      { revision: 1, entries: new Map([["A", '1","B":"2']]) },
      {
        revision: 1,
        entries: new Map([
          ["A", "1"],
          ["B", "2"]
        ])
      }
    ].map(envMap.fingerprint)
    expect(new Set(prints).size).toBe(4)
    const turned = new Map([
      ["B", "2"],
      ["A", "1"]
    ])
    expect(envMap.fingerprint({ revision: 1, entries: turned })).toBe(prints[3])
  })
})
