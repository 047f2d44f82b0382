// The one writer of a log: what is said from many fibers is stored whole, in order, and is there before it is relied on.
// A log that cannot be stored never decides how a Deployment ends.
import { Deferred, Duration, Effect, Queue, Schedule, type Scope } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import { type LogName, LogStore } from "../port/LogStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/** Says lines into a log. */
export interface LogWriter {
  /** Adds a line; waits, bounded, while too many are on their way. */
  readonly say: (entry: LogEntry) => Effect.Effect<void>
  /** Waits, bounded, until everything said so far is stored. */
  readonly flush: Effect.Effect<void>
  /** Flushes, then ends the log: nothing follows. */
  readonly end: Effect.Effect<void>
}

type Item = LogEntry | { readonly flushed: Deferred.Deferred<void> }

const isEntry = (item: Item): item is LogEntry => "line" in item

/** How long storing may take before its lines are given up; less after that, until it works again. */
const patience = Duration.seconds(10)
const patienceOnceLost = Duration.seconds(1)

/** Opens the writer of a log for as long as the Scope lasts; closing it stores what was said. */
export const openLog = Effect.fnUntraced(function* (
  log: LogName
): Effect.fn.Return<LogWriter, never, LogStore | Scope.Scope> {
  const store = yield* LogStore
  const queue = yield* Queue.bounded<Item>(4_096)
  let bound = patience

  const stored = (what: string, writing: Effect.Effect<void, StoreError>) =>
    writing.pipe(
      Effect.retry({
        while: (error) => error.reason === "unavailable",
        schedule: Schedule.exponential("100 millis"),
        times: 5
      }),
      Effect.timeout(bound),
      Effect.as(patience),
      Effect.catchCause((cause) => Effect.as(Effect.logWarning(`${what} failed`, cause), patienceOnceLost)),
      Effect.map((next) => void (bound = next))
    )

  const write = Effect.fnUntraced(function* (items: ReadonlyArray<Item>) {
    const entries = items.filter(isEntry)
    if (entries.length > 0) yield* stored(`storing ${entries.length} lines of ${log}`, store.append(log, entries))
    for (const item of items) if (!isEntry(item)) yield* Deferred.succeed(item.flushed, undefined)
  })

  yield* Queue.takeBetween(queue, 1, 512).pipe(Effect.flatMap(write), Effect.forever, Effect.forkScoped)

  const flush = Effect.gen(function* () {
    const flushed = yield* Deferred.make<void>()
    yield* Queue.offer(queue, { flushed })
    yield* Deferred.await(flushed)
  }).pipe(Effect.timeoutOption(patience), Effect.asVoid)

  yield* Effect.addFinalizer(() => flush)
  return {
    say: (entry) => Effect.asVoid(Queue.offer(queue, entry)),
    flush,
    end: Effect.andThen(
      flush,
      Effect.suspend(() => stored(`ending ${log}`, store.end(log)))
    )
  }
})
