// Keeps the last part of what a Workload says, for any number of readers at their own pace. Writers never wait: a
// reader that is too slow loses the oldest lines and is told how many.

import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { Effect, Option, Stream } from "effect"
import { lineBytes } from "@lockkeeper/core/domain/lineSplitter"

/** How much is kept of each Workload, in bytes, with some for each line. */
const keptBytes = 1024 * 1024

const entryBytes = 64
const pageSize = 256

/** Lines by number, from the oldest that is kept. */
export interface LogBuffer {
  readonly add: (entry: LogEntry) => void
  readonly end: () => void
  /** From the oldest line to the end, waiting for more until then. */
  readonly entries: Stream.Stream<LogEntry>
}

const costOf = (entry: LogEntry): number => entryBytes + Math.min(entry.line.length, lineBytes)

/** Makes an empty buffer. */
export const makeLogBuffer = (limitBytes = keptBytes): LogBuffer => {
  const kept: Array<LogEntry> = []
  const waiting = new Set<() => void>()
  let first = 0
  let head = 0
  let bytes = 0
  let ended = false

  const wake = (): void => {
    const woken = [...waiting]
    waiting.clear()
    for (const resume of woken) resume()
  }
  const add = (entry: LogEntry): void => {
    kept.push(entry)
    bytes += costOf(entry)
    for (let oldest = kept[head]; bytes > limitBytes && oldest !== undefined; oldest = kept[head]) {
      bytes -= costOf(oldest)
      head++
      first++
    }
    if (head > 1024 && head * 2 > kept.length) {
      kept.splice(0, head)
      head = 0
    }
    wake()
  }
  const more = Effect.callback<void>((resume) => {
    const done = (): void => resume(Effect.void)
    waiting.add(done)
    return Effect.sync(() => void waiting.delete(done))
  })

  const next = (from: number): Effect.Effect<readonly [ReadonlyArray<LogEntry>, Option.Option<number>]> =>
    Effect.suspend(() => {
      const start = Math.max(from, first)
      const page = kept.slice(head + start - first, head + start - first + pageSize)
      if (page.length > 0) {
        const lost: ReadonlyArray<LogEntry> = start > from ? [lostLines(start - from)] : []
        return Effect.succeed([[...lost, ...page], Option.some(start + page.length)] as const)
      }
      return ended ? Effect.succeed([[], Option.none()] as const) : Effect.andThen(more, next(from))
    })

  return {
    add,
    end: () => {
      ended = true
      wake()
    },
    entries: Stream.paginate(0, next)
  }
}

const lostLines = (count: number): LogEntry => ({
  stream: "system",
  line: `${count} earlier lines are lost: only the last ${keptBytes / 1024 ** 2} MiB that nobody has read is kept`
})
