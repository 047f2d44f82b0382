// LogStores that make the mistakes their contract exists for.

import { DateTime, Effect } from "effect"
import type { LogEntry } from "../../src/domain/LogLine.ts"
import { LogName, type LogPlace, LogStore } from "../../src/port/LogStore.ts"
import { altered, type Broken } from "./Broken.ts"

const ofDeployment = (log: LogName): LogName => LogName.make(log.replace("workload/", "deployment/"))

/** Broken LogStores. */
export const brokenLogStores: ReadonlyArray<Broken> = [
  {
    what: "a LogStore that cuts lines at 64 KiB",
    contract: "LogStore",
    violates: ["U1 lines are numbered"],
    layer: altered(LogStore, (original) => ({
      append: (log, entries, place) =>
        original.append(
          log,
          entries.map((entry) => ({ ...entry, line: entry.line.slice(0, 65_536) })),
          place
        )
    }))
  },
  {
    what: "a LogStore that numbers its lines before it has waited",
    contract: "LogStore",
    violates: ["U1 eight"],
    layer: altered(LogStore, (original, { logs }) => ({
      append: Effect.fnUntraced(function* (log: LogName, entries: ReadonlyArray<LogEntry>, place?: LogPlace) {
        yield* original.append(log, [])
        const row = logs.get(log)
        if (place !== undefined && (row?.writers.get(place.writer) ?? 0) >= place.nth) return
        if (place !== undefined) row?.writers.set(place.writer, place.nth)
        const at = yield* DateTime.now
        const numbered = entries.map((entry, index) => ({
          ...entry,
          at: entry.at ?? at,
          seq: (row?.lines.length ?? 0) + index + 1
        }))
        yield* Effect.yieldNow
        if (row?.ended === false) row.lines.push(...numbered)
      })
    }))
  },
  {
    what: "a LogStore that reads from a number on, and not from after it",
    contract: "LogStore",
    violates: ["X1 reading goes on"],
    layer: altered(LogStore, (original) => ({
      read: (log, after, limit) => original.read(log, Math.max(0, after - 1), limit)
    }))
  },
  {
    what: "a LogStore that says that a log has ended while lines of it are left to read",
    contract: "LogStore",
    violates: ["X1 a log has ended"],
    layer: altered(LogStore, (original, { logs }) => ({
      read: (log, after, limit) =>
        Effect.map(original.read(log, after, limit), ({ lines }) => ({ lines, ended: logs.get(log)?.ended === true }))
    }))
  },
  {
    what: "a LogStore that goes on after the end",
    contract: "LogStore",
    violates: ["U1 nothing is added", "U1 what is said"],
    layer: altered(LogStore, (original, { logs }) => ({
      append: Effect.fnUntraced(function* (log: LogName, entries: ReadonlyArray<LogEntry>, place?: LogPlace) {
        yield* original.append(log, [])
        const row = logs.get(log)
        const ended = row?.ended === true
        if (row !== undefined) row.ended = false
        yield* original.append(log, entries, place)
        if (row !== undefined) row.ended = ended
      })
    }))
  },
  {
    what: "a LogStore that looks whether a log has ended, waits, and adds",
    contract: "LogStore",
    violates: ["U1 what is said"],
    layer: altered(LogStore, (original, { logs }) => ({
      append: Effect.fnUntraced(function* (log: LogName, entries: ReadonlyArray<LogEntry>, place?: LogPlace) {
        yield* original.append(log, [])
        const row = logs.get(log)
        if (row === undefined || row.ended) return
        yield* Effect.yieldNow
        const ended = row.ended
        row.ended = false
        yield* original.append(log, entries, place)
        row.ended = ended
      })
    }))
  },
  {
    what: "a LogStore that adds what was added before",
    contract: "LogStore",
    violates: ["U1 an append that is asked again"],
    layer: altered(LogStore, (original) => ({ append: (log, entries) => original.append(log, entries) }))
  },
  {
    what: "a LogStore that knows only who added something last",
    contract: "LogStore",
    violates: ["U1 an append that is asked again"],
    layer: altered(LogStore, (original, { logs }) => ({
      append: (log, entries, place) => {
        const writers = logs.get(log)?.writers
        for (const writer of writers?.keys() ?? []) if (writer !== place?.writer) writers?.delete(writer)
        return original.append(log, entries, place)
      }
    }))
  },
  {
    what: "a LogStore that ends only what has lines",
    contract: "LogStore",
    violates: ["X1 a log that nobody has written"],
    layer: altered(LogStore, (original, { logs }) => ({
      end: (log) => Effect.suspend(() => ((logs.get(log)?.lines.length ?? 0) === 0 ? Effect.void : original.end(log)))
    }))
  },
  {
    what: "a LogStore that keeps one log of a Deployment",
    contract: "LogStore",
    violates: ["X1 the logs of a Deployment"],
    layer: altered(LogStore, (original) => ({
      append: (log, entries, place) => original.append(ofDeployment(log), entries, place),
      read: (log, after, limit) => original.read(ofDeployment(log), after, limit),
      cursor: (log) => original.cursor(ofDeployment(log))
    }))
  },
  {
    what: "a LogStore that leaves out lines that its database refuses",
    contract: "LogStore",
    violates: ["U1 a line with characters"],
    layer: altered(LogStore, (original) => ({
      append: (log, entries, place) =>
        original.append(
          log,
          entries.filter(({ line }) => !line.includes("\0")),
          place
        )
    }))
  },
  {
    what: "a LogStore that stores its own time in place of that of the line",
    contract: "LogStore",
    violates: ["X1 a line keeps the time"],
    layer: altered(LogStore, (original) => ({
      append: (log, entries, place) =>
        original.append(
          log,
          entries.map(({ line, stream }) => ({ stream, line })),
          place
        )
    }))
  },
  {
    what: "a LogStore whose cursor is behind one line of its time only",
    contract: "LogStore",
    violates: ["X1 a line keeps the time"],
    layer: altered(LogStore, (_, { logs }) => ({
      cursor: (log: LogName) =>
        Effect.sync(() => {
          const last = logs.get(log)?.lines.findLast(({ stream }) => stream === "stdout" || stream === "stderr")
          return last === undefined ? undefined : { at: DateTime.toUtc(last.at), lines: 1 }
        })
    }))
  }
]
