// Random histories of atomic objects, and ways to break them. Everything comes from fast-check, so that the seed and the
// path that a failure prints bring the same history back.

import * as fc from "fast-check"
import type { EnvInput } from "../../src/testing/envMap.ts"
import type { Operation, Outcome } from "../../src/testing/History.ts"
import type { StatusInput } from "../../src/testing/statusRegister.ts"
import type { RegisterInput } from "./registerAndQueue.ts"
import type { Sequential } from "./Sequential.ts"

/** Few keys and values, so that changes meet. */
export const envInput: fc.Arbitrary<EnvInput> = (() => {
  const key = fc.constantFrom("A", "B", "C")
  const value = fc.constantFrom("1", "2")
  const expected = fc.record({ expectedRevision: fc.nat(4) }, { requiredKeys: [] })
  const changes = fc.dictionary(key, fc.oneof(value, fc.constantFrom("", null)), { maxKeys: 2, noNullPrototype: true })
  const entries = fc.dictionary(key, value, { maxKeys: 2, noNullPrototype: true })
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constant("merge"), changes }) },
    {
      weight: 1,
      arbitrary: fc.tuple(changes, expected).map(([changes, rest]) => ({ type: "merge", changes, ...rest }) as const)
    },
    {
      weight: 1,
      arbitrary: fc.tuple(entries, expected).map(([entries, rest]) => ({ type: "replace", entries, ...rest }) as const)
    },
    { weight: 2, arbitrary: fc.constant({ type: "read" }) }
  )
})()

/** Few statuses and fences, so that most transitions have a chance. */
export const statusInput: fc.Arbitrary<StatusInput> = (() => {
  const status = fc.constantFrom("queued", "building", "healthy")
  const from = fc.uniqueArray(status, { minLength: 1 })
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant("transition"), from, to: status, fence: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.constant({ type: "takeOver" }) },
    { weight: 2, arbitrary: fc.constant({ type: "read" }) }
  )
})()

/** Blind writes, reads and compare-and-sets over `values` values. */
export const registerInput = (values: number): fc.Arbitrary<RegisterInput> => {
  const value = fc.nat(values - 1)
  return fc.oneof(
    fc.record({ type: fc.constant("write"), value }),
    fc.record({ type: fc.constant("compareAndSet"), from: value, to: value }),
    fc.constant({ type: "read" })
  )
}

/** How many operations a history has, how many processes make it, and whether some answers get lost. */
export interface HistorySize {
  readonly minLength: number
  readonly maxLength: number
  readonly processes: number
  readonly losesAnswers: boolean
}

type History<Input, Output> = ReadonlyArray<Operation<Input, Output>>

/** Histories of an atomic object. Each operation takes effect at a random moment between its call and its answer. */
export const atomicHistory = <State, Input, Output>(
  { initial, run }: Sequential<State, Input, Output>,
  input: fc.Arbitrary<Input>,
  { processes, losesAnswers, ...size }: HistorySize
): fc.Arbitrary<History<Input, Output>> => {
  const fates = losesAnswers
    ? (["ok", "ok", "ok", "ok", "ok", "ok", "lost", "never", "fail"] as const)
    : (["ok"] as const)
  const step = fc.record({
    process: fc.nat(processes - 1),
    gap: fc.nat(3),
    length: fc.nat(4),
    moment: fc.nat(4),
    input,
    fate: fc.constantFrom(...fates)
  })
  return fc.array(step, { ...size, size: "max" }).map((steps) => {
    const clocks = new Map<number, number>()
    const timed = steps.map(({ process, gap, length, moment, input, fate }) => {
      const from = (clocks.get(process) ?? 0) + gap + 1
      clocks.set(process, from + length)
      const effectAt = fate === "lost" ? from + 3 * moment : from + Math.min(moment, length)
      return { process, from, until: from + length, effectAt, input, fate }
    })
    const outcomes = new Map<unknown, Outcome<Output>>()
    let state = initial[0]
    for (const step of timed.toSorted((a, b) => a.effectAt - b.effectAt)) {
      const returnedAt = BigInt(step.until)
      if (state === undefined || step.fate === "never") continue
      if (step.fate === "fail") outcomes.set(step, { type: "fail", returnedAt })
      else {
        const [next, output] = run(state, step.input)
        state = next
        if (step.fate === "ok") outcomes.set(step, { type: "ok", output, returnedAt })
      }
    }
    return timed.map((step) => ({
      key: "object",
      process: `p${step.process}`,
      input: step.input,
      invokedAt: BigInt(step.from),
      outcome: outcomes.get(step) ?? { type: "unknown" }
    }))
  })
}

/** A way to break a history: `pick` and `other` choose where. */
export type Mutation = <Input, Output>(
  history: History<Input, Output>,
  pick: number,
  other: number
) => History<Input, Output>

const at = <A>(items: ReadonlyArray<A>, index: number): A | undefined => items[index % items.length]

const changed = <Input, Output>(
  history: History<Input, Output>,
  operation: Operation<Input, Output>,
  change: Partial<Operation<Input, Output>>
): History<Input, Output> => history.map((each) => (each === operation ? { ...each, ...change } : each))

const answered = <Input, Output>(history: History<Input, Output>): History<Input, Output> =>
  history.filter(({ outcome }) => outcome.type === "ok")

/** The answer of one operation is given to another one that asked for the same kind of thing. */
export const foreignAnswer: Mutation = (history, pick, other) => {
  const target = at(answered(history), pick)
  if (target?.outcome.type !== "ok") return history
  const { outcome } = target
  const source = at(
    answered(history).filter((each) => kindOf(each) === kindOf(target) && !isSame(each, target)),
    other
  )
  return source?.outcome.type === "ok"
    ? changed(history, target, { outcome: { ...outcome, output: source.outcome.output } })
    : history
}

/** Two operations change their times: what was first is last. */
export const swappedTimes: Mutation = (history, pick, other) => {
  const one = at(answered(history), pick)
  const two = at(
    answered(history).filter((each) => one !== undefined && isApart(one, each)),
    other
  )
  if (one?.outcome.type !== "ok" || two?.outcome.type !== "ok") return history
  const moved = changed(history, one, {
    invokedAt: two.invokedAt,
    outcome: { ...one.outcome, returnedAt: two.outcome.returnedAt }
  })
  return changed(moved, two, {
    invokedAt: one.invokedAt,
    outcome: { ...two.outcome, returnedAt: one.outcome.returnedAt }
  })
}

/** A write that had an effect never happened. */
export const droppedWrite: Mutation = (history, pick) => {
  const dropped = at(answered(history).filter(hadEffect), pick)
  return history.filter((operation) => operation !== dropped)
}

/** A read answers what an earlier read answered. */
export const resurrectedValue: Mutation = (history, pick, other) => {
  const reads = answered(history).filter((operation) => kindOf(operation) === "read")
  const target = at(reads, pick)
  if (target?.outcome.type !== "ok") return history
  const earlier = at(
    reads.filter((each) => each.invokedAt < target.invokedAt && !isSame(each, target)),
    other
  )
  return earlier?.outcome.type === "ok"
    ? changed(history, target, { outcome: { ...target.outcome, output: earlier.outcome.output } })
    : history
}

const isApart = (a: Operation<unknown, unknown>, b: Operation<unknown, unknown>): boolean =>
  (a.outcome.type === "ok" && a.outcome.returnedAt < b.invokedAt) ||
  (b.outcome.type === "ok" && b.outcome.returnedAt < a.invokedAt)

const isSame = (a: Operation<unknown, unknown>, b: Operation<unknown, unknown>): boolean =>
  a.outcome.type === "ok" &&
  b.outcome.type === "ok" &&
  JSON.stringify(a.outcome.output) === JSON.stringify(b.outcome.output)

const hadEffect = ({ input, outcome }: Operation<unknown, unknown>): boolean =>
  typeOf(input) !== "read" &&
  outcome.type === "ok" &&
  outcome.output !== false &&
  !["unchanged", "mismatch", "refused"].includes(String(typeOf(outcome.output)))

const kindOf = ({ input }: Operation<unknown, unknown>): unknown => typeOf(input)

const typeOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "type" in value ? value.type : undefined
