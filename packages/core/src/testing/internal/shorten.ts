// Makes what cannot be linearized as short as it can be shown, without claiming anything that the whole does not prove:
// first the end is cut off, then the beginning, then what changes nothing.
import type { Offence, Reached } from "../Offence.ts"
import type { SequentialModel } from "../SequentialModel.ts"
import { type Configuration, type Entry, orderOf, search, type Search } from "./search.ts"
import { beginning, type Entries, type Offends, withoutBeginning } from "./parts.ts"

/**
 * Shortens entries that were searched in vain, with what that search came to. An attempt that visits more than twice as many
 * configurations as the search did is given up, and all of them together may visit some eight times as many.
 */
export const shorten = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  entries: Entries<Input, Output>,
  { visited, furthest }: Extract<Search<State, Input, Output>, { readonly type: "none" }>
): Offence<State, Input, Output> => {
  const limit = 2 * visited + 1000
  let left = 4 * limit
  const offends: Offends<State, Input, Output> = (model, entries) => {
    const { type, visited } = search(model, entries, Math.min(left, limit))
    left -= visited
    return type === "exceeded" ? "undecided" : type === "none"
  }

  const { prefix, isShortest } = shortestPrefix(model, entries, furthest?.due ?? -Infinity, offends)
  const { initial, earlier, tail } = withoutBeginning(model, prefix, offends)
  const later = { ...model, initial }
  const least = withoutReads(later, tail, offends)

  const last = search(later, least, Infinity)
  const reached = last.type === "none" && last.furthest !== undefined ? reachedBy(last.furthest) : undefined
  return { initial, earlier, operations: least.map(({ operation }) => operation), isShortest, reached }
}

const reachedBy = <State, Input, Output>(
  furthest: Configuration<State, Input, Output>
): Reached<State, Input, Output> => ({
  order: orderOf(furthest),
  state: furthest.state,
  due: furthest.candidates.find(({ until }) => until === furthest.due)?.operation
})

/**
 * If a beginning of a history cannot be linearized, neither can what continues it, so that the shortest one is found by
 * bisection. It ends with an answer: only answers can offend. The answers before `due` were explained by the search, which
 * knew more about the pending operations than the beginning tells, so that no beginning before `due` offends.
 */
const shortestPrefix = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  entries: Entries<Input, Output>,
  due: number,
  offends: Offends<State, Input, Output>
) => {
  const returns = entries.map(({ until }) => until).filter((until) => until >= due && until !== Infinity)
  const ends = [...new Set(returns)].sort((a, b) => a - b)
  const prefixOf = (index: number) => beginning(model, entries, ends[index] ?? due)
  let [low, high, probe, isShortest] = [0, ends.length - 1, 0, true]
  while (low < high) {
    const found = offends(model, prefixOf(probe))
    if (found === true) high = probe
    else low = probe + 1
    isShortest &&= found !== "undecided"
    probe = Math.floor((low + high) / 2)
  }
  return { prefix: prefixOf(high), isShortest }
}

/**
 * Drops reads as long as the rest offends. An order that explains a history explains it without an operation that leaves
 * the state as it is, so that what offends without a read offends with it. The same is not true of a write, after which
 * others may have seen what it wrote: no write is dropped. What cannot be dropped once cannot be dropped later.
 */
const withoutReads = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  entries: Entries<Input, Output>,
  offends: Offends<State, Input, Output>
): Entries<Input, Output> => {
  const isRead = ({ operation, output }: Entry<Input, Output>) => model.isReadOnly(operation.input, output)
  let kept = entries
  for (let size = kept.filter(isRead).length; size >= 1; size = Math.floor(size / 2)) {
    const reads = kept.filter(isRead)
    for (let at = 0; at < reads.length; at += size) {
      const dropped = new Set(reads.slice(at, at + size))
      const fewer = kept.filter((entry) => !dropped.has(entry))
      if (offends(model, fewer) === true) kept = fewer
    }
  }
  return kept
}
