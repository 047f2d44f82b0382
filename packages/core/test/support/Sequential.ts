// Objects that do one operation at a time, written apart from the models, and an oracle that tries every order of every
// choice of operations. It shares nothing with the checker but the shape of a history.

import { isDeepStrictEqual } from "node:util"
import type { EnvInput, EnvOutput, EnvState } from "../../src/testing/envMap.ts"
import type { Operation } from "../../src/testing/History.ts"
import type { StatusInput, StatusOutput, StatusState } from "../../src/testing/statusRegister.ts"

/** What an object comes to and answers when it is asked something. */
export interface Sequential<State, Input, Output> {
  readonly initial: ReadonlyArray<State>
  readonly run: (state: State, input: Input) => readonly [State, Output]
}

/** An Env. */
export const sequentialEnv: Sequential<EnvState, EnvInput, EnvOutput> = {
  initial: [{ revision: 0, entries: new Map() }],
  run: (state, input) => {
    const { revision } = state
    const before = [...state.entries]
    if (input.type === "read") return [state, { type: "read", revision, entries: Object.fromEntries(before) }]
    const { expectedRevision = revision } = input
    if (expectedRevision !== revision) return [state, { type: "mismatch", revision }]

    const given = Object.entries(input.type === "merge" ? input.changes : input.entries)
    const named = new Set(given.map(([key]) => key))
    const kept = input.type === "merge" ? before.filter(([key]) => !named.has(key)) : []
    const set = given.flatMap(([key, value]): ReadonlyArray<[string, string]> => (value ? [[key, value]] : []))
    const entries = new Map([...kept, ...set].sort())
    return isDeepStrictEqual(entries, new Map(before.sort()))
      ? [state, { type: "unchanged", revision }]
      : [
          { revision: revision + 1, entries },
          { type: "revised", revision: revision + 1 }
        ]
  }
}

/** A status that is guarded by fences. */
export const sequentialStatus: Sequential<StatusState, StatusInput, StatusOutput> = {
  initial: [{ status: "queued", fence: 0 }],
  run: (state, input) => {
    const { status, fence } = state
    if (input.type === "read") return [state, { type: "read", status, fence }]
    if (input.type === "takeOver") {
      const taken = { status, fence: fence + 1 }
      return [taken, { type: "taken", fence: taken.fence }]
    }
    const isAllowed = fence === input.fence && input.from.some((from) => from === status)
    return isAllowed ? [{ status: input.to, fence }, { type: "moved" }] : [state, { type: "refused" }]
  }
}

/** Whether an order of operations gives the answers that were seen, from this state on. */
export const fits = <State, Input, Output>(
  object: Sequential<State, Input, Output>,
  initial: State,
  order: ReadonlyArray<Operation<Input, Output>>
): boolean => {
  let state = initial
  for (const { input, outcome } of order) {
    const [next, answer] = object.run(state, input)
    if (outcome.type === "ok" && !isDeepStrictEqual(outcome.output, answer)) return false
    state = next
  }
  return true
}

/** Whether no operation in an order returned before one that stands ahead of it was called. */
export const respectsTime = (order: ReadonlyArray<Operation<unknown, unknown>>): boolean =>
  order.every((before, index) =>
    order.slice(index + 1).every(({ outcome }) => outcome.type === "unknown" || outcome.returnedAt >= before.invokedAt)
  )

/** Whether any order explains a history of one object, by trying all of them. */
export const isLinearizable = <State, Input, Output>(
  object: Sequential<State, Input, Output>,
  history: ReadonlyArray<Operation<Input, Output>>
): boolean => {
  const answered = history.filter(({ outcome }) => outcome.type === "ok")
  for (const effective of subsets(history.filter(({ outcome }) => outcome.type === "unknown"))) {
    for (const order of permutations([...answered, ...effective])) {
      if (respectsTime(order) && object.initial.some((state) => fits(object, state, order))) return true
    }
  }
  return false
}

const subsets = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.reduce<ReadonlyArray<ReadonlyArray<A>>>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]])

function* permutations<A>(items: ReadonlyArray<A>): Generator<ReadonlyArray<A>> {
  if (items.length === 0) yield []
  for (const [index, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(index, 1))) yield [item, ...rest]
  }
}
