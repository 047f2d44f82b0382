// The beginning and the end of a history, each made so that it claims nothing that the whole does not prove.
import { Option } from "effect"
import type { SequentialModel } from "../SequentialModel.ts"
import { type Configuration, type Entry, isRelevant, search } from "./search.ts"

/** Operations on one object, in the order of their calls. */
export type Entries<Input, Output> = ReadonlyArray<Entry<Input, Output>>

/** Whether entries cannot be linearized. */
export type Offends<State, Input, Output> = (
  model: SequentialModel<State, Input, Output>,
  entries: Entries<Input, Output>
) => boolean | "undecided"

/** What was called up to a time. What was answered later is pending. */
export const beginning = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  entries: Entries<Input, Output>,
  end: number
): Entries<Input, Output> =>
  entries
    .filter(({ from }) => from <= end)
    .map((entry) => (entry.until > end ? unanswered(entry) : entry))
    .filter((entry) => isRelevant(model, entry))

/**
 * Leaves out what had returned before a cut, and begins in the states that the object may have had when the last of that
 * took effect. This claims nothing new. Take any order that explains the whole, and divide it after the last operation that
 * returned before the cut. All before it was called before the cut, so that the search passed the division, and what
 * follows explains the rest of the history from the state there. An operation that was pending at the cut is left out when
 * it precedes every division that the search passed, and stays as it is when it precedes none; else it becomes unknown,
 * which allows both. The latest cut that still offends is taken, of those that leave 8, 16, 32 and so on calls after them:
 * enough to see why. A cut that the search did not reach proves nothing.
 */
export const withoutBeginning = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  prefix: Entries<Input, Output>,
  offends: Offends<State, Input, Output>
) => {
  const cuts = cutsOf<State>(prefix)
  search(model, prefix, Infinity, (before, config) => {
    for (const cut of cuts) {
      if (before < cut.time && cut.time <= config.due) divide(model, cut, config)
    }
  })
  for (const { time, states, pending, divisions } of cuts) {
    const initial = [...states.values()]
    const tail = prefix
      .flatMap((entry, index) => {
        if (entry.from >= time) return [entry]
        const preceding = pending.get(index) ?? divisions
        return preceding === divisions ? [] : [preceding === 0 ? entry : unanswered(entry)]
      })
      .filter((entry) => isRelevant(model, entry))
    if (divisions > 0 && offends({ ...model, initial }, tail) === true) {
      return { initial, earlier: prefix.length - tail.length, tail }
    }
  }
  return { initial: model.initial, earlier: 0, tail: prefix }
}

/** `pending` says of how many divisions each operation that was pending at the cut stands ahead. */
interface Cut<State> {
  readonly time: number
  readonly states: Map<string, State>
  readonly pending: Map<number, number>
  divisions: number
}

const cutsOf = <State>(prefix: Entries<unknown, unknown>): ReadonlyArray<Cut<State>> => {
  const cuts: Array<Cut<State>> = []
  for (let count = 8; count < prefix.length; count *= 2) {
    const time = prefix.at(-count)?.from ?? 0
    const pending = new Map<number, number>()
    for (const [index, { from, until }] of prefix.entries()) {
      if (from < time && until >= time) pending.set(index, 0)
    }
    cuts.push({ time, states: new Map(), pending, divisions: 0 })
  }
  return cuts
}

const divide = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  cut: Cut<State>,
  { state, front, holes }: Configuration<State, Input, Output>
): void => {
  cut.divisions += 1
  cut.states.set(model.fingerprint(state), state)
  for (const [index, count] of cut.pending) {
    const precedes = index < front && holes.every((hole) => hole.index !== index)
    if (precedes) cut.pending.set(index, count + 1)
  }
}

const unanswered = <Input, Output>(entry: Entry<Input, Output>): Entry<Input, Output> => ({
  ...entry,
  until: Infinity,
  output: Option.none(),
  operation: { ...entry.operation, outcome: { type: "unknown" } }
})
