// Looks for an order of the operations on one object that its model allows and that real time does not contradict. This is
// the search of Wing and Gong (1993) with the memory of Lowe (2017): no set of operations is looked at twice in one state.
// It keeps its own stack, and gives up when it has visited more configurations than it may.
import { Option } from "effect"
import type { Operation } from "../History.ts"
import type { SequentialModel } from "../SequentialModel.ts"

/** An operation as the search sees it. Times are nanoseconds from the first call; `until` is infinite without an answer. */
export interface Entry<Input, Output> {
  readonly from: number
  readonly until: number
  readonly output: Option.Option<Output>
  readonly operation: Operation<Input, Output>
}

type Indexed<Input, Output> = Entry<Input, Output> & { readonly index: number; readonly isReadOnly: boolean }

/**
 * The operations that were put in order so far, and the state they lead to. They are all entries before `front` but for
 * `holes`. Every hole was pending when the last of them was called, so that there are never more holes than operations at
 * the same time, and this is a short name for the set, however long the history is.
 */
export interface Configuration<State, Input, Output> {
  readonly state: State
  readonly stateId: number
  readonly front: number
  readonly holes: ReadonlyArray<Indexed<Input, Output>>
  /** What may come next, in the order of the calls. */
  readonly candidates: ReadonlyArray<Indexed<Input, Output>>
  /** When the first operation returned that is not in order yet: by then it must be. Infinite when all answers are. */
  readonly due: number
  readonly depth: number
  readonly last: readonly [Configuration<State, Input, Output>, Entry<Input, Output>] | undefined
}

/** What a search came to. `end` explains all answers; `furthest` explains all up to the latest time. */
export type Search<State, Input, Output> =
  | { readonly type: "found"; readonly visited: number; readonly end: Configuration<State, Input, Output> }
  | {
      readonly type: "none"
      readonly visited: number
      readonly furthest: Configuration<State, Input, Output> | undefined
    }
  | { readonly type: "exceeded"; readonly visited: number }

/**
 * The operations on one object in the order of their calls, to be searched. Failed ones had no effect and are left out, as
 * are reads without an answer, which prove nothing.
 */
export const entriesOf = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>
): ReadonlyArray<Entry<Input, Output>> => {
  const relevant = operations
    .filter(({ outcome }) => outcome.type !== "fail")
    .toSorted((a, b) => (a.invokedAt < b.invokedAt ? -1 : a.invokedAt > b.invokedAt ? 1 : 0))
  const origin = relevant[0]?.invokedAt ?? 0n
  const timed = relevant.map((operation) => {
    const { invokedAt, outcome } = operation
    const entry = { from: Number(invokedAt - origin), operation }
    return outcome.type === "ok"
      ? { ...entry, until: Number(outcome.returnedAt - origin), output: Option.some(outcome.output) }
      : { ...entry, until: Infinity, output: Option.none() }
  })
  return timed.filter((entry) => isRelevant(model, entry))
}

/** Whether an operation can tell anything: a read without an answer cannot. */
export const isRelevant = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  { until, operation }: Entry<Input, Output>
): boolean => until !== Infinity || !model.isReadOnly(operation.input, Option.none())

/**
 * Searches entries, which are in the order of their calls. `onStep` sees every step, also one that leads to what was
 * visited before: when the operation was due that had to be in order next, and the configuration after the step.
 */
export const search = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  entries: ReadonlyArray<Entry<Input, Output>>,
  budget: number,
  onStep?: (before: number, after: Configuration<State, Input, Output>) => void
): Search<State, Input, Output> => {
  type Config = Configuration<State, Input, Output>
  const steps = entries.map((entry, index) => ({
    ...entry,
    index,
    isReadOnly: model.isReadOnly(entry.operation.input, entry.output)
  }))
  const stateIds = new Map<string, number>()
  const seen = new Set<string>()
  const stack: Array<Config> = []
  let furthest: Config | undefined

  const idOf = (state: State): number => {
    const fingerprint = model.fingerprint(state)
    const id = stateIds.get(fingerprint) ?? stateIds.size
    stateIds.set(fingerprint, id)
    return id
  }

  const visit = (before: number, config: Config): void => {
    onStep?.(before, config)
    const key = `${config.stateId} ${config.front} ${config.holes.map(({ index }) => index).join()}`
    if (seen.has(key)) return
    seen.add(key)
    stack.push(config)
    if (furthest === undefined || isFurther(config, furthest)) furthest = config
  }

  for (const state of model.initial) {
    visit(-Infinity, {
      state,
      stateId: idOf(state),
      front: 0,
      holes: [],
      ...ahead(steps, 0, []),
      depth: 0,
      last: undefined
    })
  }
  while (seen.size <= budget) {
    const config = stack.pop()
    if (config === undefined) return { type: "none", visited: seen.size, furthest }
    if (config.due === Infinity) return { type: "found", visited: seen.size, end: config }
    if (isHopeless(model, config)) continue
    for (const next of successors(model, steps, config, idOf)) visit(config.due, next)
  }
  return { type: "exceeded", visited: seen.size }
}

/** The operations of a configuration, in the order that was found for them. */
export const orderOf = <State, Input, Output>(
  config: Configuration<State, Input, Output> | undefined
): ReadonlyArray<Operation<Input, Output>> => {
  const order: Array<Operation<Input, Output>> = []
  let at = config?.last
  while (at !== undefined) {
    const [previous, entry] = at
    order.push(entry.operation)
    at = previous.last
  }
  return order.reverse()
}

const isFurther = (a: Configuration<unknown, unknown, unknown>, b: Configuration<unknown, unknown, unknown>): boolean =>
  a.due > b.due || (a.due === b.due && a.depth > b.depth)

/** What may come next: whatever was not called after another operation, that is not in order yet, had returned. */
const ahead = <Input, Output>(
  entries: ReadonlyArray<Indexed<Input, Output>>,
  front: number,
  holes: ReadonlyArray<Indexed<Input, Output>>
) => {
  const candidates = [...holes]
  let due = Math.min(Infinity, ...holes.map(({ until }) => until))
  for (let index = front; ; index++) {
    const entry = entries[index]
    if (entry === undefined || entry.from > due) return { candidates, due }
    candidates.push(entry)
    due = Math.min(due, entry.until)
  }
}

/** Whether an answer has to come yet that cannot come any more. */
const isHopeless = <State, Input, Output>(
  { isPast }: SequentialModel<State, Input, Output>,
  { state, candidates }: Configuration<State, Input, Output>
): boolean =>
  isPast !== undefined && candidates.some(({ output }) => Option.isSome(output) && isPast(state, output.value))

/**
 * Two short cuts are taken, both without loss. An answered read that fits comes next at once, alone: any order that has it
 * later is still one when it is moved here. That is true of reads only. A write that leaves this state as it is may have to
 * come later, when it changes another one. An unknown write that would change nothing now is left for later, or out.
 */
const successors = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  entries: ReadonlyArray<Indexed<Input, Output>>,
  config: Configuration<State, Input, Output>,
  idOf: (state: State) => number
): ReadonlyArray<Configuration<State, Input, Output>> => {
  const found: Array<Configuration<State, Input, Output>> = []
  for (const entry of config.candidates) {
    const states = model.step(config.state, entry.operation.input, entry.output)
    for (const state of states) {
      const stateId = idOf(state)
      const isSame = stateId === config.stateId
      if (isSame && entry.until === Infinity) continue
      const next = {
        state,
        stateId,
        ...without(entries, config, entry),
        depth: config.depth + 1,
        last: [config, entry]
      } as const
      if (entry.isReadOnly) return [next]
      found.push(next)
    }
  }
  return found.reverse()
}

const without = <State, Input, Output>(
  entries: ReadonlyArray<Indexed<Input, Output>>,
  { front, candidates }: Configuration<State, Input, Output>,
  entry: Indexed<Input, Output>
) => {
  const next = Math.max(front, entry.index + 1)
  const holes = candidates.filter((candidate) => candidate !== entry && candidate.index < next)
  return { front: next, holes, ...ahead(entries, next, holes) }
}
