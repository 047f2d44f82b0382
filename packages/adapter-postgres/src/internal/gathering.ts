// Group commit: what is asked while the same is under way gathers, and is sent together as soon as that is over. Alone it is
// sent at once. Each has an answer of its own, and what one of them makes the database refuse hurts none beside it. Not here:
// what is sent (beginJobs.ts, finishJobs.ts).

import { Failpoints } from "@lockkeeper/core/port/failpoint"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Array as Arr, Cause, Context, Effect, Fiber, type Scope } from "effect"
import { isWithoutEffect } from "./faults.ts"

/** What is gathered, and how it is sent. */
export interface Gathered<I, A, E> {
  readonly operation: string
  /** The most that is sent together. */
  readonly most: number
  /** What is sent under way of what else: that of one key is. */
  readonly key: (input: I) => string
  /** What no two that are sent together may have in common, if any. */
  readonly apart: (input: I) => string | undefined
  /** Sends some together, and answers each in its place; fails where none of them has an answer. */
  readonly send: (inputs: Arr.NonEmptyReadonlyArray<I>) => Effect.Effect<ReadonlyArray<Effect.Effect<A, E>>, StoreError>
}

interface Pending<I, A, E> {
  readonly input: I
  readonly context: Context.Context<never>
  readonly answer: (outcome: Effect.Effect<A, E | StoreError>) => void
  /** Runs these once it is answered. */
  readonly listeners: Array<() => void>
}

/** Makes the function that asks. It ends with the Scope: what waits is refused then, and what was sent is given up. */
export const gathering = Effect.fnUntraced(function* <I, A, E>(
  of: Gathered<I, A, E>
): Effect.fn.Return<(input: I) => Effect.Effect<A, E | StoreError>, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const lines = new Map<string, Array<Pending<I, A, E>>>()
  const fibers = new Set<Fiber.Fiber<void>>()
  let isClosed = false

  const failed = (reason: StoreError["reason"], cause: unknown) =>
    Effect.fail(new StoreError({ operation: of.operation, reason, cause }))

  const closed = Effect.suspend(() => failed("unavailable", new Error("it was closed")))

  const end = (pending: Pending<I, A, E>, outcome: Effect.Effect<A, E | StoreError>): void => {
    pending.answer(outcome)
    pending.listeners.forEach((listener) => listener())
  }

  const endAll = (batch: ReadonlyArray<Pending<I, A, E>>, outcome: Effect.Effect<never, StoreError>) =>
    Effect.sync(() => batch.forEach((pending) => end(pending, outcome)))

  const sent = (batch: Arr.NonEmptyReadonlyArray<Pending<I, A, E>>): Effect.Effect<void> =>
    of.send(Arr.map(batch, ({ input }) => input)).pipe(
      Effect.onInterrupt(() => endAll(batch, closed)),
      Effect.matchCauseEffect({
        onSuccess: (answers) =>
          Effect.sync(() =>
            batch.forEach((pending, index) =>
              end(pending, answers[index] ?? failed("unexpected", "there is no answer"))
            )
          ),
        onFailure: (cause) => {
          const error = Cause.squash(cause)
          if (!(error instanceof StoreError)) return endAll(batch, failed("unexpected", error))
          if (batch.length === 1 || !isOfOne(error)) return endAll(batch, Effect.fail(error))
          return Effect.forEach(batch, alone, { discard: true })
        }
      })
    )

  /** In the order in which they came; who has gone meanwhile leaves nothing. */
  const alone = (pending: Pending<I, A, E>): Effect.Effect<void> =>
    Effect.suspend(() => (pending.listeners.length > 0 ? endAll([pending], closed) : sent([pending])))

  /** Whoever was answered may ask again at once, and joins what is sent next. */
  const work = Effect.fnUntraced(function* (key: string, line: Array<Pending<I, A, E>>) {
    let batch = taken(line, of)
    while (Arr.isReadonlyArrayNonEmpty(batch)) {
      yield* sent(batch)
      yield* Effect.yieldNow
      batch = taken(line, of)
    }
    lines.delete(key)
  })

  const join = (pending: Pending<I, A, E>): void => {
    if (isClosed) return end(pending, closed)
    const key = of.key(pending.input)
    const line = lines.get(key)
    if (line !== undefined) return void line.push(pending)
    const begun = [pending]
    lines.set(key, begun)
    const failpoints = Context.get(pending.context, Failpoints)
    const fiber = Effect.runForkWith(Context.add(context, Failpoints, failpoints))(work(key, begun))
    fibers.add(fiber)
    fiber.addObserver(() => fibers.delete(fiber))
  }

  /** Takes it out where it was not sent yet; what was sent is waited for, so that nothing outlives its caller unnoticed. */
  const withdrawn = (pending: Pending<I, A, E>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const line = lines.get(of.key(pending.input))
      const place = line?.indexOf(pending) ?? -1
      if (place >= 0) return Effect.sync(() => void line?.splice(place, 1))
      return Effect.callback<void>((resume) => void pending.listeners.push(() => resume(Effect.void)))
    })

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      const waiting = [...lines.values()].flatMap((line) => line.splice(0))
      return Effect.andThen(endAll(waiting, closed), Fiber.interruptAll([...fibers]))
    })
  )

  return (input) =>
    Effect.contextWith((context: Context.Context<never>) =>
      // What is answered runs behind the wait: the wait is over then, and nothing is withdrawn any more.
      Effect.flatten(
        Effect.callback<Effect.Effect<A, E | StoreError>>((resume) => {
          const answer = (outcome: Effect.Effect<A, E | StoreError>) => resume(Effect.succeed(outcome))
          const pending: Pending<I, A, E> = { input, context, answer, listeners: [] }
          join(pending)
          return withdrawn(pending)
        })
      )
    )
})

/** The server refuses what one of them asks for, or reads what only one of them needs, and nothing was written. */
const isOfOne = ({ cause, reason }: StoreError): boolean =>
  reason === "corrupt" || (reason === "unexpected" && isWithoutEffect(cause))

/** Takes from the head of a line what is sent together. */
const taken = <P extends { readonly input: I }, I>(
  line: Array<P>,
  { apart, most }: { readonly apart: (input: I) => string | undefined; readonly most: number }
): ReadonlyArray<P> => {
  const seen = new Set<string>()
  let count = 0
  for (const { input } of line) {
    const mark = apart(input)
    if (count >= most || (mark !== undefined && seen.has(mark))) break
    if (mark !== undefined) seen.add(mark)
    count += 1
  }
  return line.splice(0, count)
}
