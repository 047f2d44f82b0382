// A log as a response: what is stored, then, when it is followed, what comes, then its end.
import { Duration, Effect, Option, Schema, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import type { DeploymentId } from "@lockkeeper/core/domain/App"
import { isTerminal } from "@lockkeeper/core/domain/Deployment"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { type LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { LogItem } from "../api/Objects.ts"

/** Which log, from where, and whether to wait for what comes. */
export interface LogQuery {
  readonly log: LogName
  readonly deployment: DeploymentId
  readonly after: number
  readonly mode: "stored" | "follow"
}

interface Position {
  readonly after: number
  readonly idle: number
}

const partSize = 500
const pauseMillis = (idle: number): number => Math.min(1_000, 100 * 1.5 ** Math.min(idle, 10))

/**
 * The lines after a number. The last item says that the log has ended and how its Deployment stands; it is absent when
 * only the stored part of a log that goes on was asked for.
 */
export const logItems = (query: LogQuery): Stream.Stream<LogItem, never, LogStore | DeploymentStore> =>
  Stream.paginate({ after: query.after, idle: 0 }, (position: Position) => nextPart(query, position)).pipe(
    Stream.catch((error) => Stream.fromEffectDrain(Effect.logWarning(`the log ${query.log} broke off`, error)))
  )

const nextPart = Effect.fnUntraced(function* (query: LogQuery, { after, idle }: Position) {
  const logs = yield* LogStore
  const store = yield* DeploymentStore
  if (idle > 0) yield* Effect.sleep(Duration.millis(pauseMillis(idle)))
  const { status } = yield* store.get(query.deployment)
  const { lines, ended } = yield* logs.read(query.log, after, partSize)
  const last = lines.at(-1)?.seq ?? after
  const isOver = ended || (lines.length === 0 && isOverWithoutEnd(query, status, idle))
  const items: ReadonlyArray<LogItem> = isOver ? [...lines, { seq: last + 1, end: true, status }] : lines
  const stops = isOver || (query.mode === "stored" && lines.length < partSize)
  return [items, stops ? Option.none<Position>() : Option.some({ after: last, idle: lines.length === 0 ? idle + 1 : 0 })] as const
})

/** A Deployment that never ran has no log that could end; one that crashed has an end that comes with the reaper. */
const isOverWithoutEnd = (query: LogQuery, status: Parameters<typeof isTerminal>[0], idle: number): boolean =>
  query.log.startsWith("deployment/") && isTerminal(status) && (query.mode === "stored" || idle > 3)

const toJson = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(LogItem)))

const asEvent = (item: LogItem): string => `id: ${item.seq}\ndata: ${toJson(item)}\n\n`

/** Server-sent events when the client asks for them, with a comment every 15 s; else one JSON object a line. */
export const logResponse = Effect.fnUntraced(function* (
  items: Stream.Stream<LogItem, never, LogStore | DeploymentStore>,
  accept: string | undefined
): Effect.fn.Return<HttpServerResponse.HttpServerResponse, never, LogStore | DeploymentStore> {
  const ports = yield* Effect.context<LogStore | DeploymentStore>()
  const provided = Stream.provideContext(items, ports)
  const wantsEvents = accept?.includes("text/event-stream") === true
  const pings = Stream.map(Stream.tick(Duration.seconds(15)), () => ": ping\n\n")
  const text = wantsEvents
    ? Stream.merge(Stream.map(provided, asEvent), Stream.drop(pings, 1), { haltStrategy: "left" })
    : Stream.map(provided, (item) => `${toJson(item)}\n`)
  return HttpServerResponse.stream(Stream.encodeText(text), {
    contentType: wantsEvents ? "text/event-stream" : "application/x-ndjson",
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })
})
