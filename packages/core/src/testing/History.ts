// What several processes did, as data, and how it is recorded while they do it. A recorded history never claims more than
// was seen: what was interrupted, died or got no answer may have taken effect, or take effect later, or never.
import { Cause, Clock, Effect, Exit, Result } from "effect"

/** What a process asks of an object. `key` names the object; operations on different keys are judged apart. */
export interface Call<Input> {
  readonly key: string
  readonly process: string
  readonly input: Input
}

/** What a caller learns: an output, that there certainly was no effect, or nothing. */
export type Answer<Output> =
  { readonly type: "ok"; readonly output: Output } | { readonly type: "fail" } | { readonly type: "unknown" }

/** An {@link Answer} with the time at which it came, in monotonic nanoseconds. */
export type Outcome<Output> =
  | { readonly type: "ok"; readonly output: Output; readonly returnedAt: bigint }
  | { readonly type: "fail"; readonly returnedAt: bigint }
  | { readonly type: "unknown" }

/** One call and what came of it. Times are monotonic nanoseconds of one clock for the whole history. */
export interface Operation<Input, Output> extends Call<Input> {
  readonly invokedAt: bigint
  readonly outcome: Outcome<Output>
}

/** What is written down when it happens. An operation without an answer is a call alone. `id` is unique in one history. */
export type HistoryEvent<Input, Output> =
  | ({ readonly type: "call"; readonly id: number; readonly at: bigint } & Call<Input>)
  | { readonly type: "ok"; readonly id: number; readonly at: bigint; readonly output: Output }
  | { readonly type: "fail"; readonly id: number; readonly at: bigint }

/** How the result of an effect becomes an {@link Answer}. An error may be an output too: a refusal is an observation. */
export interface Classify<A, E, Output> {
  /** What a success says. */
  readonly success: (value: A) => Output
  /** What a typed error says: that nothing was done, an output, or nothing. */
  readonly failure: (error: E) => Answer<Output>
}

/** Where a history takes its time from, and where it writes its events to. */
export interface HistoryOptions<Input, Output> {
  /**
   * Monotonic nanoseconds; those of the Clock unless given. On Node the Clock reads `process.hrtime`, which all processes
   * of one Linux machine share, so that their histories can be merged.
   */
  readonly now?: () => bigint
  /** Writes an event where it survives the process. The effect starts when its call is written. */
  readonly write?: (event: HistoryEvent<Input, Output>) => Effect.Effect<void>
}

/** A history that is being recorded. Any number of fibers may record at once. */
export interface History<Input, Output> {
  /** Runs an effect and records it as one operation; what it comes to stays the same. */
  readonly record: <A, E, R>(
    call: Call<Input>,
    self: Effect.Effect<A, E, R>,
    classify: Classify<A, E, Output>
  ) => Effect.Effect<A, E, R>
  /** What was recorded so far, in the order of the calls. What is not answered yet is unknown. */
  readonly operations: Effect.Effect<ReadonlyArray<Operation<Input, Output>>>
}

/**
 * Begins a history. Its times strictly increase, so that it keeps the order of what follows one another even on a clock
 * that stands still, as a TestClock does. An interruption or a defect is recorded as unknown.
 */
export const make = Effect.fnUntraced(function* <Input, Output>(
  options: HistoryOptions<Input, Output> = {}
): Effect.fn.Return<History<Input, Output>> {
  const clock = yield* Clock.Clock
  const now = options.now ?? (() => clock.monotonicTimeNanosUnsafe())
  const write = options.write ?? (() => Effect.void)
  const operations: Array<Operation<Input, Output>> = []
  let last = now() - 1n

  const tick = (): bigint => {
    const time = now()
    last = time > last ? time : last + 1n
    return last
  }

  const begin = Effect.fnUntraced(function* (call: Call<Input>) {
    const id = operations.length
    const operation = { ...call, invokedAt: tick(), outcome: { type: "unknown" } } as const
    operations.push(operation)
    yield* write({ ...call, type: "call", id, at: operation.invokedAt })
    return { id, operation }
  })

  const record: History<Input, Output>["record"] = (call, self, classify) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const { id, operation } = yield* begin(call)
        const exit = yield* Effect.exit(restore(self))
        const returnedAt = tick()
        const answer = answerOf(exit, classify)
        if (answer.type !== "unknown") {
          operations[id] = { ...operation, outcome: { ...answer, returnedAt } }
          yield* write({ ...answer, id, at: returnedAt })
        }
        return yield* exit
      })
    )

  return { record, operations: Effect.sync(() => [...operations]) }
})

const answerOf = <A, E, Output>(exit: Exit.Exit<A, E>, classify: Classify<A, E, Output>): Answer<Output> => {
  if (Exit.isSuccess(exit)) return { type: "ok", output: classify.success(exit.value) }
  const error = Cause.findError(exit.cause)
  const isOnlyError = Result.isSuccess(error) && !Cause.hasDies(exit.cause) && !Cause.hasInterrupts(exit.cause)
  return isOnlyError ? classify.failure(error.success) : { type: "unknown" }
}
