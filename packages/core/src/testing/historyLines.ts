// Histories as JSON lines: one when an operation is called and one when it is answered, so that the file of a process that
// was killed still says what it had begun. Each process writes its own file; histories are merged by joining their arrays.
import { Result, Schema } from "effect"
import type { HistoryEvent, Operation, Outcome } from "./History.ts"
import type { HistoryCodec } from "./SequentialModel.ts"

/** A line is not one of a history, or contradicts those before it. Lines count from 1. */
export class InvalidHistory extends Schema.TaggedError<InvalidHistory>()("InvalidHistory", {
  line: Schema.Int,
  reason: Schema.String
}) {
  override readonly message = `line ${this.line} of the history: ${this.reason}`
}

/** Writes one event as a line, with the line break at its end. Times are decimal strings of nanoseconds. */
export const formatEvent = <Input, Output>(
  codec: HistoryCodec<Input, Output>
): ((event: HistoryEvent<Input, Output>) => string) => {
  const encode = Schema.encodeSync(lineOf(codec))
  return (event) => `${encode(event)}\n`
}

/** Writes a history. Its order is kept. */
export const format = <Input, Output>(
  codec: HistoryCodec<Input, Output>,
  history: ReadonlyArray<Operation<Input, Output>>
): string => history.flatMap(eventsOf).map(formatEvent(codec)).join("")

/**
 * Reads what {@link format} wrote, or what a process wrote event by event. What follows the last line break was cut off when
 * its writer died, and is left out: a call whose line is not complete has not begun.
 */
export const parse = <Input, Output>(
  codec: HistoryCodec<Input, Output>,
  text: string
): Result.Result<ReadonlyArray<Operation<Input, Output>>, InvalidHistory> => {
  const decode = Schema.decodeUnknownResult(lineOf(codec))
  const operations = new Map<number, Operation<Input, Output>>()
  for (const [index, json] of text.split("\n").slice(0, -1).entries()) {
    const event = decode(json)
    const reason = Result.isFailure(event) ? event.failure.message : take(operations, event.success)
    if (reason !== undefined) return Result.fail(new InvalidHistory({ line: index + 1, reason }))
  }
  return Result.succeed([...operations.values()])
}

const lineOf = <Input, Output>({ input, output }: HistoryCodec<Input, Output>) => {
  const shared = { id: Schema.Int, at: Schema.BigIntFromString }
  return Schema.fromJsonString(
    Schema.Union([
      Schema.Struct({ type: Schema.Literal("call"), ...shared, key: Schema.String, process: Schema.String, input }),
      Schema.Struct({ type: Schema.Literal("ok"), ...shared, output }),
      Schema.Struct({ type: Schema.Literal("fail"), ...shared })
    ])
  )
}

const eventsOf = <Input, Output>(
  { key, process, input, invokedAt, outcome }: Operation<Input, Output>,
  id: number
): ReadonlyArray<HistoryEvent<Input, Output>> => {
  const call = { type: "call", id, at: invokedAt, key, process, input } as const
  switch (outcome.type) {
    case "ok":
      return [call, { type: "ok", id, at: outcome.returnedAt, output: outcome.output }]
    case "fail":
      return [call, { type: "fail", id, at: outcome.returnedAt }]
    case "unknown":
      return [call]
  }
}

/** Adds an event to the operations, or says why it does not belong there. */
const take = <Input, Output>(
  operations: Map<number, Operation<Input, Output>>,
  event: HistoryEvent<Input, Output>
): string | undefined => {
  const operation = operations.get(event.id)
  if (event.type === "call") {
    if (operation !== undefined) return `operation ${event.id} is called twice`
    const { key, process, input, at } = event
    operations.set(event.id, { key, process, input, invokedAt: at, outcome: { type: "unknown" } })
    return undefined
  }
  if (operation === undefined) return `operation ${event.id} is answered and was not called`
  if (operation.outcome.type !== "unknown") return `operation ${event.id} is answered twice`
  if (event.at < operation.invokedAt) return `operation ${event.id} is answered before it is called`
  operations.set(event.id, { ...operation, outcome: outcomeOf(event) })
  return undefined
}

const outcomeOf = <Output>(event: Exclude<HistoryEvent<never, Output>, { type: "call" }>): Outcome<Output> =>
  event.type === "ok"
    ? { type: "ok", output: event.output, returnedAt: event.at }
    : { type: "fail", returnedAt: event.at }
