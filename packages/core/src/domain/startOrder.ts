// In which order things that wait for one another can start, and which of them wait for themselves. Names alone decide.
import { Result } from "effect"

/** Who waits for whom. Every name that is waited for is a key. */
export type Waiting<Name extends string> = ReadonlyMap<Name, ReadonlyArray<Name>>

/** Compares names by their code units: the same order everywhere. */
export const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * All names, each behind those that it waits for, and else in the order of names. Fails with the names of one cycle, each
 * before the one that it waits for, the last one waiting for the first.
 */
export const startOrder = <Name extends string>(
  waiting: Waiting<Name>
): Result.Result<ReadonlyArray<Name>, ReadonlyArray<Name>> => {
  const left = new Set([...waiting.keys()].sort(byName))
  const order: Array<Name> = []
  const blockers = (name: Name) => (waiting.get(name) ?? []).filter((other) => left.has(other))

  while (left.size > 0) {
    const next = [...left].find((name) => blockers(name).length === 0)
    if (next === undefined) return Result.fail(cycleIn(left, blockers))
    left.delete(next)
    order.push(next)
  }
  return Result.succeed(order)
}

/** Each of those left waits for another one of them: whoever follows that comes round. */
const cycleIn = <Name extends string>(
  left: ReadonlySet<Name>,
  blockers: (name: Name) => ReadonlyArray<Name>
): ReadonlyArray<Name> => {
  const path: Array<Name> = []
  let [name] = left
  while (name !== undefined && !path.includes(name)) {
    path.push(name)
    name = [...blockers(name)].sort(byName)[0]
  }
  const cycle = name === undefined ? path : path.slice(path.indexOf(name))
  const first = cycle.findIndex((one) => cycle.every((other) => one <= other))
  return [...cycle.slice(first), ...cycle.slice(0, first)]
}
