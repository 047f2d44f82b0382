// The one writer of a log: what is said from many fibers is stored whole, in order, once and without secrets, and is there
// before it is relied on.
// A log that cannot be stored never decides how a Deployment ends.
import { Clock, Deferred, Duration, Effect, Latch, Random, Schedule, type Scope } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import { makeRedactor, type Redactor } from "../domain/Redactor.ts"
import { type LogName, LogStore, LogWriterId } from "../port/LogStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/** Says lines into a log. */
export interface LogWriter {
  /** Adds a line; waits, bounded, while too many are on their way. */
  readonly say: (entry: LogEntry) => Effect.Effect<void>
  /** Waits, bounded, until everything said so far is stored. */
  readonly flush: Effect.Effect<void>
  /** Flushes, then ends the log: nothing follows. */
  readonly end: Effect.Effect<void>
  /** Takes secrets out of what is said from now on. */
  readonly hide: (redactor: Redactor) => Effect.Effect<void>
  /** What takes them out. */
  readonly redactor: Effect.Effect<Redactor>
}

type Item = LogEntry | { readonly flushed: Deferred.Deferred<void>; readonly what: "said" | "all" }

const isEntry = (item: Item): item is LogEntry => "line" in item

/** How long storing may take before its lines are given up; less after that, until it works again. */
const patience = Duration.seconds(10)
const patienceOnceLost = Duration.seconds(1)

/** No secrets are known. */
export const noRedactor: Redactor = makeRedactor([])

/** Opens the writer of a log for as long as the Scope lasts; closing it stores what was said. */
export const openLog = Effect.fnUntraced(function* (
  log: LogName,
  given: Redactor
): Effect.fn.Return<LogWriter, never, LogStore | Scope.Scope> {
  const store = yield* LogStore
  const writer = yield* freshWriter
  let [redactor, redacted, nth] = [given, given.log(), 0]
  const items = makeBacklog()
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
    const ready = (item: Item): ReadonlyArray<LogEntry> => {
      if (isEntry(item)) return redacted.push(item)
      return item.what === "all" ? redacted.end() : []
    }
    const entries: Array<LogEntry> = []
    for (const item of items) for (const entry of ready(item)) entries.push(entry)
    for (const part of partsOf(entries)) {
      nth += 1
      yield* stored(`storing ${part.length} lines of ${log}`, store.append(log, part, { writer, nth }))
    }
    for (const item of items) if (!isEntry(item)) yield* Deferred.succeed(item.flushed, undefined)
  })

  // Registered first, so done last: who goes on saying something then is not held up by what nobody takes.
  yield* Effect.addFinalizer(() => Effect.sync(items.close))
  yield* items.takeAll.pipe(Effect.flatMap(write), Effect.forever, Effect.forkScoped)

  const flush = (what: "said" | "all") =>
    Effect.gen(function* () {
      const flushed = yield* Deferred.make<void>()
      items.add({ flushed, what })
      yield* Deferred.await(flushed)
    }).pipe(Effect.timeoutOption(patience), Effect.asVoid)

  yield* Effect.addFinalizer(() => flush("all"))
  return {
    say: items.say,
    flush: flush("said"),
    hide: (next) => Effect.sync(() => void ([redactor, redacted] = [next, next.log()])),
    redactor: Effect.sync(() => redactor),
    end: Effect.andThen(
      flush("all"),
      Effect.suspend(() => stored(`ending ${log}`, store.end(log)))
    )
  }
})

/** What waits to be written, in the order in which it was said. */
const makeBacklog = () => {
  const [some, room] = [Latch.makeUnsafe(), Latch.makeUnsafe(true)]
  let items: Array<Item> = []
  let length = 0
  let isClosed = false

  const add = (item: Item): void => {
    items.push(item)
    length += isEntry(item) ? item.line.length : 0
    if (items.length === 1) some.openUnsafe()
    if (items.length >= most.items || length >= most.length) room.closeUnsafe()
  }
  /** Adds a line; waits while there is no room. Who waited first is first. */
  const say = (entry: LogEntry): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (isClosed) return Effect.void
      if (!room.isOpen()) return Effect.andThen(room.await, say(entry))
      add(entry)
      return Effect.void
    })
  const takeAll = Effect.map(some.await, () => {
    const taken = items
    items = []
    length = 0
    some.closeUnsafe()
    room.openUnsafe()
    return taken
  })
  /** Drops what waits and everything that is said from now on. */
  const close = (): void => {
    isClosed = true
    items = []
    room.openUnsafe()
  }
  return { add, say, takeAll, close }
}

/** How many lines may wait, and how many UTF-16 code units there may be in them; the last one may exceed that. */
const most = { items: 8_192, length: 1_048_576 }

/** Lines in parts that a store takes at once: most of what storing costs is the same for one line and for many. */
const partsOf = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<ReadonlyArray<LogEntry>> => {
  const parts: Array<Array<LogEntry>> = []
  let length = partLength
  for (const entry of entries) {
    const part = parts.at(-1)
    length += entry.line.length
    if (part !== undefined && length <= partLength) part.push(entry)
    else {
      parts.push([entry])
      length = entry.line.length
    }
  }
  return parts
}

const partLength = 1_048_576

const freshWriter = Effect.gen(function* () {
  const [time, random] = [yield* Clock.currentTimeMillis, yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)]
  return LogWriterId.make(`${Math.floor(time).toString(36).padStart(9, "0")}${random.toString(36).padStart(11, "0")}`)
})
