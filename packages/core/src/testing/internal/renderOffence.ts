// Shows people why a history is not linearizable: a line for each operation, in the order of the calls, and how far an
// explanation gets.
import { Option } from "effect"
import type { Operation } from "../History.ts"
import type { SequentialModel } from "../SequentialModel.ts"
import type { Offence, Reached } from "../Offence.ts"

/** Renders an offence. Times are milliseconds from the first call that is shown. */
export const renderOffence = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  key: string,
  { initial, earlier, operations, isShortest, reached }: Offence<State, Input, Output>
): string => {
  const describe = (operation: Operation<Input, Output>) =>
    `${operation.process}: ${model.describe(operation.input, outputOf(operation))}`
  const origin = operations[0]?.invokedAt ?? 0n
  const spans = operations.map((operation) => spanOf(operation, origin))
  const width = Math.max(0, ...spans.map((span) => span.length))
  return [
    `${key} is not linearizable${isShortest ? "" : " (a shorter beginning of its history may not be, either)"}`,
    earlier === 0 ? "It begins as" : `After ${earlier} operations it is one of`,
    ...initial.map((state) => `  ${model.fingerprint(state)}`),
    "No order explains these answers, where ? is unknown or left out",
    ...operations.map((operation, index) => `  ${(spans[index] ?? "").padEnd(width)}  ${describe(operation)}`),
    ...(reached === undefined ? [] : renderReached(model, describe, reached))
  ].join("\n")
}

const renderReached = <State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  describe: (operation: Operation<Input, Output>) => string,
  { order, state, due }: Reached<State, Input, Output>
): ReadonlyArray<string> => [
  `The longest explanation has ${order.length} of them`,
  ...order.map((operation) => `  ${describe(operation)}`),
  `and leads to`,
  `  ${model.fingerprint(state)}`,
  ...(due === undefined ? [] : ["where nothing that is possible comes before this returns", `  ${describe(due)}`])
]

const outputOf = <Output>({ outcome }: Operation<unknown, Output>): Option.Option<Output> =>
  outcome.type === "ok" ? Option.some(outcome.output) : Option.none()

const spanOf = ({ invokedAt, outcome }: Operation<unknown, unknown>, origin: bigint): string => {
  const milliseconds = (time: bigint) => (Number(time - origin) / 1e6).toFixed(3)
  return `${milliseconds(invokedAt)} to ${outcome.type === "unknown" ? "?" : milliseconds(outcome.returnedAt)} ms`
}
