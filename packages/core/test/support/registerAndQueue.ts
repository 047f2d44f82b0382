// The two objects that the literature draws its histories of: a register and a first-in, first-out queue.

import { Equal, Option } from "effect"
import type { SequentialModel } from "../../src/testing/SequentialModel.ts"
import type { Sequential } from "./Sequential.ts"

/** What is asked of a register: to write a value, to read it (null), or to set it if it has one. */
export type RegisterInput =
  | { readonly type: "write"; readonly value: number }
  | { readonly type: "read" }
  | { readonly type: "compareAndSet"; readonly from: number; readonly to: number }

/** What a register answers: the value of a read, whether a compare-and-set found its value, null for a write. */
export type RegisterOutput = number | boolean | null

const runRegister = (value: number, input: RegisterInput): readonly [number, RegisterOutput] => {
  switch (input.type) {
    case "write":
      return [input.value, null]
    case "read":
      return [value, value]
    case "compareAndSet":
      return value === input.from ? [input.to, true] : [value, false]
  }
}

/** What is asked of a queue: to take a value in (`put`), or to give the oldest one out. */
export type QueueInput = { readonly type: "put"; readonly value: string } | { readonly type: "take" }

const runQueue = (values: ReadonlyArray<string>, input: QueueInput): readonly [ReadonlyArray<string>, string | null] =>
  input.type === "put" ? [[...values, input.value], null] : [values.slice(1), values[0] ?? null]

const modelOf = <State, Input, Output>(
  initial: State,
  run: Sequential<State, Input, Output>["run"],
  isReadOnly: (input: Input, output: Option.Option<Output>) => boolean
): SequentialModel<State, Input, Output> & Sequential<State, Input, Output> => ({
  initial: [initial],
  run,
  step: (state, input, output) => {
    const [next, answer] = run(state, input)
    return Option.isNone(output) || Equal.equals(output.value, answer) ? [next] : []
  },
  fingerprint: (state) => JSON.stringify(state),
  isReadOnly,
  describe: (input, output) =>
    `${Object.values(input ?? {}).join(" ")} -> ${Option.match(output, { onNone: () => "?", onSome: JSON.stringify })}`
})

/** A register that holds 0 at first. */
export const register = modelOf(
  0,
  runRegister,
  (input, output) => input.type === "read" || (Option.isSome(output) && output.value === false)
)

/** A queue that is empty at first. */
export const queue = modelOf<ReadonlyArray<string>, QueueInput, string | null>(
  [],
  runQueue,
  (input, output) => input.type === "take" && Option.isSome(output) && output.value === null
)
