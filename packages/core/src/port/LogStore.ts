// Keeps the logs of Deployments and of Workloads, bounded in size, each line with its number.
import { Context, DateTime, Effect, Layer, Schema } from "effect"
import type { LogCursor, LogEntry, LogLine } from "../domain/LogLine.ts"
import { type LogRow, MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * Names a log: `deployment/dep_…` for what happened while deploying, `workload/dep_…` for what the Workload says,
 * `job/job_…` for what a Job says, `run/run_…` for what a Run and its nodes say.
 */
export const LogName = Schema.String.check(
  Schema.isPattern(/^(?:(?:deployment|workload)\/dep|job\/job|run\/run)_[a-z0-9]{1,64}$/)
).pipe(Schema.brand("LogName"))

/** The type of {@link LogName}. */
export type LogName = typeof LogName.Type

/** How many bytes of lines a log holds unless the operator says otherwise. */
export const defaultLogLimitBytes = 104_857_600

/** The line that stands where a log was cut. */
export const truncationLine = "the log is longer than its limit; what follows is not kept"

/** Names one of those who write a log: the time at which it began, in milliseconds, and a random number, in base 36. */
export const LogWriterId = Schema.String.check(Schema.isPattern(/^[0-9a-z]{20}$/)).pipe(Schema.brand("LogWriterId"))

/** The type of {@link LogWriterId}. */
export type LogWriterId = typeof LogWriterId.Type

/** Which one of its writer's appends one is. They are numbered from 1 in the order in which they are asked for. */
export interface LogPlace {
  readonly writer: LogWriterId
  readonly nth: number
}

/** Of how many writers of one log it is known what they have added: the newest ones. */
export const knownWriters = 16

/** Some lines of a log, and whether nothing will follow them. */
export interface LogPart {
  readonly lines: ReadonlyArray<LogLine>
  readonly ended: boolean
}

/** Keeps logs. */
export class LogStore extends Context.Service<
  LogStore,
  {
    /**
     * Adds whole lines with the next numbers, with their own time where they have one. Past the size limit they are dropped, and {@link truncationLine} says so
     * once. Nothing is added to a log that has ended. With a place they are added once, however often that is asked: what
     * its writer has added at this place or a later one is not added again.
     */
    readonly append: (
      log: LogName,
      entries: ReadonlyArray<LogEntry>,
      place?: LogPlace
    ) => Effect.Effect<void, StoreError>
    /** Ends a log: nothing follows. Repeating it changes nothing. */
    readonly end: (log: LogName) => Effect.Effect<void, StoreError>
    /** At most `limit` lines after number `after`, of those that were not swept; `ended` when there are no more and there never will be. */
    readonly read: (log: LogName, after: number, limit: number) => Effect.Effect<LogPart, StoreError>
    /** How far the output of the Workload (`stdout` and `stderr`) was stored; undefined when none was. */
    readonly cursor: (log: LogName) => Effect.Effect<LogCursor | undefined, StoreError>
  }
>()("@lockkeeper/core/port/LogStore") {
  /** Logs in memory, {@link defaultLogLimitBytes} each. */
  static readonly layerMemory: Layer.Layer<LogStore, never, MemoryState> = Layer.effect(
    LogStore,
    Effect.gen(function* () {
      const state = yield* MemoryState

      const row = (log: LogName): LogRow => {
        const known = state.logs.get(log) ?? {
          lines: [],
          swept: 0,
          writers: new Map(),
          bytes: 0,
          truncated: false,
          ended: false
        }
        state.logs.set(log, known)
        return known
      }

      const append = Effect.fnUntraced(function* (log: LogName, entries: ReadonlyArray<LogEntry>, place?: LogPlace) {
        const now = yield* DateTime.now
        const target = row(log)
        if (target.ended) return
        if (place !== undefined && (target.writers.get(place.writer) ?? 0) >= place.nth) return
        if (place !== undefined) target.writers.set(place.writer, place.nth)
        for (const { stream, line, at = now } of fitting(target, entries, defaultLogLimitBytes)) {
          target.lines.push({ seq: lastOf(target) + 1, at, stream, line })
        }
      })

      const read = (log: LogName, after: number, limit: number) =>
        Effect.sync(() => {
          const { lines, ended } = row(log)
          const part = lines.filter((line) => line.seq > after).slice(0, limit)
          return { lines: part, ended: ended && (part.at(-1)?.seq ?? after) >= (lines.at(-1)?.seq ?? 0) }
        })

      const cursor = (log: LogName) =>
        Effect.sync(() => {
          const said = row(log).lines.filter(({ stream }) => stream === "stdout" || stream === "stderr")
          const at = said.at(-1)?.at
          if (at === undefined) return undefined
          return { at, lines: said.filter((line) => DateTime.Equivalence(line.at, at)).length }
        })

      return LogStore.of({ append, end: (log) => Effect.sync(() => void (row(log).ended = true)), read, cursor })
    })
  )
}

const lastOf = ({ lines, swept }: LogRow): number => lines.at(-1)?.seq ?? swept

/** What of some entries still fits a log, with the line that says where it was cut; counts the bytes into the log. */
const fitting = (log: LogRow, entries: ReadonlyArray<LogEntry>, limitBytes: number): ReadonlyArray<LogEntry> =>
  entries.flatMap((entry): ReadonlyArray<LogEntry> => {
    if (log.truncated) return []
    log.bytes += new TextEncoder().encode(entry.line).byteLength + 1
    if (log.bytes <= limitBytes) return [entry]
    log.truncated = true
    return [{ stream: "system", line: truncationLine }]
  })
