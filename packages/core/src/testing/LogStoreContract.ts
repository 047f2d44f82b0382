// What every store of logs keeps: numbers without a gap, lines in the order in which they were said, and an end that is one.
import { DateTime, Effect } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import type { AppStore } from "../port/AppStore.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import { knownWriters, LogName, LogStore, LogWriterId } from "../port/LogStore.ts"
import { type Contract, equal, holds, law, present } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const everything = 10_000

const said = (line: string): LogEntry => ({ stream: "stdout", line })

/** The id of a writer that began at this time. */
const writerOf = (time: number): LogWriterId => LogWriterId.make(`w${String(time).padStart(19, "0")}`)

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

/** The two logs of a new Deployment. */
const freshLogs = Effect.gen(function* () {
  const { id } = yield* Given.begun(yield* Given.registered())
  return { deployment: LogName.make(`deployment/${id}`), workload: LogName.make(`workload/${id}`) }
})

const freshLog = Effect.map(freshLogs, ({ deployment }) => deployment)

const linesOf = Effect.fnUntraced(function* (log: LogName) {
  const logs = yield* LogStore
  const { lines } = yield* logs.read(log, 0, everything)
  return lines.map(({ line }) => line)
})

/** The laws of {@link LogStore}. */
export const LogStoreContract: Contract<LogStore | DeploymentStore | AppStore> = [
  law(
    "U1",
    "lines are numbered from one and stand in the order in which they were said, as they were said",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      const entries: ReadonlyArray<LogEntry> = [
        { stream: "system", line: "one" },
        { stream: "build", line: "" },
        { stream: "stdout", line: '  \ttabs, \u{1F512} and "quotes" \' \\ $1 %s' },
        { stream: "stderr", line: "x".repeat(70_000) }
      ]
      yield* logs.append(log, entries.slice(0, 3))
      yield* logs.append(log, [])
      yield* logs.append(log, entries.slice(3))
      const { lines, ended } = yield* logs.read(log, 0, everything)
      yield* equal(
        "the lines",
        lines.map(({ seq, stream, line }) => ({ seq, stream, line })),
        entries.map((entry, index) => ({ seq: index + 1, ...entry }))
      )
      yield* equal("whether it has ended", ended, false)
    })
  ),

  law(
    "U1",
    "eight that say something at the same time lose no line, skip no number, and keep the order of what each one said",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      const speak = (speaker: number) =>
        Effect.forEach(
          numbers(10),
          (turn) =>
            logs.append(
              log,
              numbers(5).map((line) => said(`${speaker}:${(turn - 1) * 5 + line}`))
            ),
          { discard: true }
        )
      yield* Effect.all(numbers(8).map(speak), { concurrency: "unbounded", discard: true })
      const { lines } = yield* logs.read(log, 0, everything)
      yield* equal(
        "the numbers",
        lines.map(({ seq }) => seq),
        [...numbers(400)]
      )
      for (const speaker of numbers(8)) {
        const own = lines.filter(({ line }) => line.startsWith(`${speaker}:`)).map(({ line }) => Number(line.slice(2)))
        yield* equal(`what ${speaker} said`, own, [...numbers(50)])
      }
    })
  ),

  law(
    "X1",
    "reading goes on after any number, in parts of any size",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      yield* logs.append(
        log,
        numbers(5).map((line) => said(String(line)))
      )
      const part = (after: number, limit: number) =>
        Effect.map(logs.read(log, after, limit), ({ lines }) => lines.map(({ seq }) => seq))
      yield* equal("the first part", yield* part(0, 2), [1, 2])
      yield* equal("the next part", yield* part(2, 2), [3, 4])
      yield* equal("the last part", yield* part(4, 2), [5])
      yield* equal("what follows the last line", yield* part(5, 2), [])
      yield* logs.append(log, [said("6")])
      yield* equal("what was added later", yield* part(5, 2), [6])
    })
  ),

  law(
    "X1",
    "a log has ended for its reader when it was ended and everything was read",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      yield* logs.append(log, [said("1"), said("2")])
      const ended = (after: number, limit: number) => Effect.map(logs.read(log, after, limit), (part) => part.ended)
      yield* equal("the end before it was ended", yield* ended(2, 10), false)
      yield* logs.end(log)
      yield* equal("the end while a line is left", yield* ended(0, 1), false)
      yield* equal("the end with the last line", yield* ended(0, 2), true)
      yield* equal("the end after the last line", yield* ended(2, 10), true)
    })
  ),

  law(
    "U1",
    "nothing is added to a log that has ended, and ending it again changes nothing",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      yield* logs.append(log, [said("1")])
      yield* logs.end(log)
      yield* logs.append(log, [said("2")])
      yield* logs.end(log)
      yield* equal("the lines", yield* linesOf(log), ["1"])
      yield* equal("whether it has ended", (yield* logs.read(log, 1, 1)).ended, true)
    })
  ),

  law(
    "U1",
    "what is said while a log is ended is in it when its end is seen, or never",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      const speaking = Effect.forEach(numbers(10), (line) => logs.append(log, [said(String(line))]), {
        concurrency: "unbounded"
      })
      const endAndRead = Effect.andThen(logs.end(log), linesOf(log))
      const [, seen] = yield* Effect.all([speaking, endAndRead, speaking], { concurrency: "unbounded" })
      yield* equal("the lines when everybody is done", yield* linesOf(log), seen)
    })
  ),

  law(
    "U1",
    "an append that is asked again, because its answer was lost, is in the log once, whoever else writes it",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      const writers = numbers(knownWriters).map(writerOf)
      const append = (index: number, nth: number) => {
        const writer = writers[index] ?? writerOf(0)
        return logs.append(log, [said(`${index}:${nth}`), said(`${index}:${nth} too`)], { writer, nth })
      }
      const everyone = (nth: number) =>
        Effect.forEach(writers.keys(), (index) => append(index, nth), { concurrency: "unbounded", discard: true })
      yield* Effect.forEach([1, 1, 2, 1, 2, 2, 4, 3, 4], everyone, { discard: true })
      const lines = yield* linesOf(log)
      for (const index of writers.keys()) {
        const own = lines.filter((line) => line.startsWith(`${index}:`)).map((line) => line.split(":")[1])
        yield* equal(`what ${index} said`, own, ["1", "1 too", "2", "2 too", "4", "4 too"])
      }
      yield* Effect.all([append(3, 5), append(3, 5), append(3, 5)], { concurrency: "unbounded" })
      yield* equal("the lines of one that was asked thrice at once", (yield* linesOf(log)).slice(lines.length), [
        "3:5",
        "3:5 too"
      ])
    })
  ),

  law(
    "X1",
    "a log that nobody has written is empty, and can be ended",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      yield* equal("the part that is read", yield* logs.read(log, 0, 10), { lines: [], ended: false })
      yield* logs.end(log)
      yield* equal("the part after the end", yield* logs.read(log, 0, 10), { lines: [], ended: true })
    })
  ),

  law(
    "X1",
    "the logs of a Deployment and of its Workload are two",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const { deployment, workload } = yield* freshLogs
      yield* logs.append(deployment, [said("deployment")])
      yield* logs.append(workload, [said("workload")])
      yield* logs.end(deployment)
      yield* logs.append(workload, [said("goes on")])
      yield* equal("the Deployment's lines", yield* linesOf(deployment), ["deployment"])
      yield* equal("the Workload's lines", yield* linesOf(workload), ["workload", "goes on"])
    })
  ),

  law(
    "U1",
    "a line with characters that a database may refuse takes its number and harms no other",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = yield* freshLog
      const strange = ["a\0b", "a\ud800b", "a\u001b[31mb", "a\ufeffb"]
      yield* logs.append(log, [said("before"), ...strange.map(said), said("after")])
      const lines = yield* linesOf(log)
      yield* equal("how many lines there are", lines.length, strange.length + 2)
      yield* equal("the lines around", [lines[0], lines.at(-1)], ["before", "after"])
      const readable = lines.slice(1, -1).every((line) => line.startsWith("a") && line.endsWith("b"))
      yield* holds("what can be kept of the strange lines", readable, lines)
    })
  ),

  law(
    "X1",
    "a line keeps the time at which it was said, and the cursor is behind the last line of the output, however many share its time",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const { workload: log } = yield* freshLogs
      const [earlier, later] = [DateTime.makeUnsafe(1_700_000_000_123), DateTime.makeUnsafe(1_700_000_000_124)]
      yield* equal("the cursor of an empty log", yield* logs.cursor(log), undefined)
      yield* logs.append(log, [{ ...said("one"), at: earlier }])
      yield* logs.append(log, [
        { ...said("two"), at: later },
        { stream: "stderr", line: "three", at: later }
      ])
      yield* logs.append(log, [{ stream: "system", line: "not of the output" }])
      const { lines } = yield* logs.read(log, 0, 3)
      yield* equal(
        "the times",
        lines.map(({ at }) => at.epochMilliseconds),
        [earlier, later, later].map(({ epochMilliseconds }) => epochMilliseconds)
      )
      const cursor = yield* present("a cursor", yield* logs.cursor(log))
      yield* equal("the cursor", [cursor.at.epochMilliseconds, cursor.lines], [later.epochMilliseconds, 2])
    })
  )
]
