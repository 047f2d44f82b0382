// A log as a response: what is stored, then, when it is followed, what comes, then its end.
import { Duration, Effect, Option, Schema, Stream } from "effect"
import type { HttpServerResponse } from "effect/http"
import type { DeploymentNotFound } from "@lockkeeper/core/port/DeploymentRequest"
import type { JobNotFound } from "@lockkeeper/core/port/JobRequest"
import { type LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import type { RunNotFound } from "@lockkeeper/core/port/RunRequest"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { LogItem } from "../api/Objects.ts"
import { pings, streamed } from "./streamed.ts"

/** How what a log is about stands, and whether its log may go on. */
interface Standing {
  readonly status: Extract<LogItem, { readonly end: true }>["status"]
  readonly isTerminal: boolean
}

/** Which log, from where, and whether to wait for what comes. `standing` looks how what it is about stands now. */
export interface LogQuery {
  readonly log: LogName
  readonly standing: Effect.Effect<Standing, LogError>
  readonly after: number
  readonly mode: "stored" | "follow"
}

interface Position {
  readonly after: number
  readonly idle: number
}

const partSize = 500
const pauseMillis = (idle: number): number => Math.min(1_000, 100 * 1.5 ** Math.min(idle, 10))

type LogError = DeploymentNotFound | JobNotFound | RunNotFound | StoreError

/**
 * The lines after a number; the first ones are read at once, so that a store that is away is not taken for an empty log.
 * The last item says that the log has ended and how its Deployment stands; it is absent when only the stored
 * part of a log that goes on was asked for.
 */
export const logItems = Effect.fnUntraced(function* (
  query: LogQuery
): Effect.fn.Return<Stream.Stream<LogItem, LogError, LogStore>, LogError, LogStore> {
  const [items, next] = yield* nextPart(query, { after: query.after, idle: 0 })
  if (Option.isNone(next)) return Stream.fromIterable(items)
  return Stream.concat(
    Stream.fromIterable(items),
    Stream.paginate(next.value, (position) => nextPart(query, position))
  )
})

const nextPart = Effect.fnUntraced(function* (query: LogQuery, { after, idle }: Position) {
  const logs = yield* LogStore
  if (idle > 0) yield* Effect.sleep(Duration.millis(pauseMillis(idle)))
  const { isTerminal, status } = yield* query.standing
  const { lines, ended } = yield* logs.read(query.log, after, partSize)
  const last = lines.at(-1)?.seq ?? after
  const ofWorkload = query.log.startsWith("workload/")
  const settled = !ofWorkload && isTerminal
  const isOver = ended ? settled || ofWorkload : settled && lines.length === 0 && endsUnwritten(query, idle)
  const items: ReadonlyArray<LogItem> = isOver ? [...lines, { seq: endOf(query, last), end: true, status }] : lines
  const stops = isOver || (query.mode === "stored" && lines.length < partSize && !settled)
  const next = { after: last, idle: lines.length === 0 ? idle + 1 : 0 }
  return [items, stops ? Option.none<Position>() : Option.some(next)] as const
})

/**
 * A Deployment that never ran has no log that could end; one that crashed has an end that comes with the reaper. The log of a
 * Job never ends, since it may be run again; all that an attempt says is stored before it ends.
 */
const endsUnwritten = ({ log, mode }: LogQuery, idle: number): boolean =>
  mode === "stored" || idle > 3 || log.startsWith("job/")

const toJson = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(LogItem)))

/** The number of the last item. Whoever goes on after it misses no line of a Job that was run again meanwhile. */
const endOf = ({ log }: LogQuery, last: number): number => (log.startsWith("job/") ? last : last + 1)

const asEvent = (item: LogItem): string => `id: ${item.seq}\ndata: ${toJson(item)}\n\n`

/**
 * Server-sent events when the client asks for them, with a comment every 15 s; else one JSON object a line. A log that
 * cannot be read on breaks the connection: a clean end would look complete. When `stopped` succeeds it ends as it is: without
 * the last item, from which a client knows that it is to go on elsewhere after the last line that it has.
 */
export const logResponse = Effect.fnUntraced(function* (
  items: Stream.Stream<LogItem, LogError, LogStore>,
  accept: string | undefined,
  stopped: Effect.Effect<void>
): Effect.fn.Return<HttpServerResponse.HttpServerResponse, never, LogStore> {
  const ports = yield* Effect.context<LogStore>()
  const provided = Stream.provideContext(items, ports)
  const wantsEvents = accept?.includes("text/event-stream") === true
  const text = wantsEvents
    ? Stream.merge(Stream.map(provided, asEvent), pings, { haltStrategy: "left" })
    : Stream.map(provided, (item) => `${toJson(item)}\n`)
  return streamed(Stream.interruptWhen(text, stopped), wantsEvents ? "text/event-stream" : "application/x-ndjson")
})

/** Where a log is read from, as a request says. */
export const from = (
  query: { readonly after?: number; readonly follow?: "true" | "false" },
  headers: { readonly "last-event-id"?: string }
) => {
  const last = /^\d{1,15}$/.exec(headers["last-event-id"] ?? "")?.[0]
  return {
    after: query.after ?? (last === undefined ? 0 : Number(last)),
    mode: query.follow === "true" ? ("follow" as const) : ("stored" as const)
  }
}
