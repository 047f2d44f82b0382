// Whether the histories that several processes made could have come from one object that did one operation at a time, each
// at some moment between its call and its answer (Herlihy and Wing, 1990). Objects with different keys are judged apart,
// which loses nothing: a history is linearizable when it is so for every object.
import { Effect } from "effect"
import { Mismatch } from "./Contract.ts"
import type { Operation } from "./History.ts"
import { renderOffence } from "./internal/renderOffence.ts"
import { entriesOf, orderOf, search } from "./internal/search.ts"
import { shorten } from "./internal/shorten.ts"
import type { Offence } from "./Offence.ts"
import type { SequentialModel } from "./SequentialModel.ts"

/**
 * What a history was found to be. `orders` has an order for every key that the model allows, as proof; operations that it
 * leaves out had no effect or no answer. `visited` counts configurations.
 */
export type Verdict<State, Input, Output> =
  | {
      readonly type: "linearizable"
      readonly visited: number
      readonly orders: ReadonlyMap<string, ReadonlyArray<Operation<Input, Output>>>
    }
  | {
      readonly type: "notLinearizable"
      readonly visited: number
      readonly key: string
      readonly offence: Offence<State, Input, Output>
      /** The offence for people: a line for each operation, in the order of the calls, with times from the first one. */
      readonly report: string
    }
  | { readonly type: "undecided"; readonly visited: number; readonly key: string }

/** How much a search may do. */
export interface SearchLimit {
  /** How many configurations a search of one key may find; a million unless given, which takes some hundred megabytes. */
  readonly budget?: number
}

/**
 * Judges a history, whose operations may be in any order. Operations that failed are left out; unknown ones may take effect
 * at any time after their call, or never. Of several keys that offend, the first is reported; a key that offends weighs more
 * than one that is undecided, and one that is undecided more than all others.
 */
export const linearizable = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: ReadonlyArray<Operation<Input, Output>>,
  { budget = 1_000_000 }: SearchLimit = {}
): Verdict<State, Input, Output> => {
  const orders = new Map<string, ReadonlyArray<Operation<Input, Output>>>()
  let visited = 0
  let undecided: string | undefined
  for (const [key, operations] of Map.groupBy(history, ({ key }) => key)) {
    const entries = entriesOf(model, operations)
    const result = search(model, entries, budget)
    visited += result.visited
    if (result.type === "none") {
      const offence = shorten(model, entries, result)
      return { type: "notLinearizable", visited, key, offence, report: renderOffence(model, key, offence) }
    }
    if (result.type === "found") orders.set(key, orderOf(result.end))
    else undecided ??= key
  }
  return undecided === undefined
    ? { type: "linearizable", visited, orders }
    : { type: "undecided", visited, key: undecided }
}

/** Fails unless a history is linearizable: an assertion of a law. */
export const expectLinearizable = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: ReadonlyArray<Operation<Input, Output>>,
  limit?: SearchLimit
): Effect.Effect<void, Mismatch> =>
  Effect.suspend(() => {
    const verdict = linearizable(model, history, limit)
    const expected = "a linearizable history"
    switch (verdict.type) {
      case "linearizable":
        return Effect.void
      case "notLinearizable":
        return Effect.fail(new Mismatch({ expected, actual: verdict.report }))
      case "undecided": {
        const actual = `for ${verdict.key} nothing is decided after ${verdict.visited} configurations`
        return Effect.fail(new Mismatch({ expected, actual }))
      }
    }
  })
