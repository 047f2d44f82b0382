// How fast what a program says gets into a log: a stream of so many MiB through the splitter, the Redactor and the writer
// into Postgres, as a ratio to reading the same stream to nowhere through the same splitter. What is stored is compared by its
// SHA-256.

import * as PostgresLogStore from "@lockkeeper/adapter-postgres/PostgresLogStore"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { makeLineSplitter } from "@lockkeeper/core/domain/lineSplitter"
import { makeRedactor } from "@lockkeeper/core/domain/Redactor"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { openLog } from "@lockkeeper/core/program/DeploymentLog"
import { Effect, Redacted, Stream } from "effect"
import { createHash, randomBytes } from "node:crypto"
import type { Options } from "../options.ts"
import { medians, timed, told } from "../told.ts"

const mebibyte = 1024 * 1024
const chunkBytes = 64 * 1024

/** The values of an Env as Apps have them. None of them is in the stream: what is stored has to be what was said. */
const secrets = Array.from({ length: 20 }, () => Redacted.make(randomBytes(24).toString("base64")))
const redactor = makeRedactor(secrets)

/** One MiB of lines of many lengths, as builds say them. */
const block: Uint8Array = (() => {
  const lines: Array<string> = []
  for (let bytes = 0, line = 0; bytes < mebibyte; line++) {
    const text = `#${line} [stage ${line % 7}/7] RUN step ${line}: ${"compiled module ".repeat(1 + ((line * 7) % 12))}ok\n`
    bytes += text.length
    lines.push(text)
  }
  return Buffer.from(lines.join("")).subarray(0, mebibyte - 1)
})()

/** So many blocks, in chunks as they come from a pipe; each block ends its last line. */
function* chunksOf(mebibytes: number): Generator<Uint8Array> {
  for (let count = 0; count < mebibytes; count++) {
    for (let at = 0; at < block.length; at += chunkBytes) yield block.subarray(at, at + chunkBytes)
    yield Buffer.from("\n")
  }
}

/** The lines of the stream, as a runtime hands them over. */
const linesOf = (mebibytes: number): Stream.Stream<LogEntry> =>
  Stream.suspend(() => {
    const entries: Array<LogEntry> = []
    const splitter = makeLineSplitter((line, isCut) => entries.push({ stream: "stdout", line, isCut }))
    return Stream.fromIterable(chunksOf(mebibytes)).pipe(
      Stream.flatMap((chunk) => {
        splitter.push(chunk)
        return Stream.fromIterable(entries.splice(0))
      })
    )
  })

const toNowhere = Effect.fnUntraced(function* (mebibytes: number) {
  const hash = createHash("sha256")
  yield* Stream.runForEach(linesOf(mebibytes), ({ line }) => Effect.sync(() => void hash.update(`${line}\n`)))
  return hash.digest("hex")
})

const intoPostgres = Effect.fnUntraced(function* (log: LogName, mebibytes: number) {
  const writing = Effect.gen(function* () {
    const { end, say } = yield* openLog(log, redactor)
    yield* Stream.runForEach(linesOf(mebibytes), say)
    yield* end
  })
  yield* Effect.scoped(writing)
})

const storedIn = Effect.fnUntraced(function* (log: LogName) {
  const logs = yield* LogStore
  const hash = createHash("sha256")
  for (let after = 0, isOver = false; !isOver;) {
    const { ended, lines } = yield* logs.read(log, after, 5_000)
    for (const { line } of lines) hash.update(`${line}\n`)
    after += lines.length
    isOver = ended
  }
  return hash.digest("hex")
})

/** How far resident memory grows beyond what it is before, looked at often. */
const grown = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = process.memoryUsage.rss()
    let most = before
    const look = Effect.sync(() => void (most = Math.max(most, process.memoryUsage.rss())))
    const watching = look.pipe(Effect.delay("20 millis"), Effect.forever)
    const answer = yield* Effect.raceFirst(self, watching)
    return [(most - before) / mebibyte, answer] as const
  })

/** One round: to nowhere, into Postgres, and to nowhere again, so that what else the machine does counts for both. */
const round = Effect.fnUntraced(function* (number: number, mebibytes: number) {
  const log = LogName.make(`workload/dep_bench${number}`)
  const [before, expected] = yield* timed(toNowhere(mebibytes))
  const [grownMegabytes, [seconds]] = yield* grown(timed(intoPostgres(log, mebibytes)))
  const [after] = yield* timed(toNowhere(mebibytes))
  const isWhole = (yield* storedIn(log)) === expected
  return { ratio: (before + after) / 2 / seconds, grownMegabytes, mebibytesPerSecond: mebibytes / seconds, isWhole }
})

/** Measures it, in rounds. */
export const logs = Effect.fnUntraced(
  function* ({ mebibytes, rounds: count }: Options) {
    yield* round(0, Math.min(16, mebibytes))
    const rounds = yield* Effect.forEach(Array.from({ length: count }).keys(), (index) => round(index + 1, mebibytes))
    const isWhole = rounds.every((one) => one.isWhole)
    const facts = { mebibytes, isWhole, ...medians({ mibPerSecond: rounds.map((one) => one.mebibytesPerSecond) }) }
    const ratio = { name: "storing a log / reading it to nowhere", unit: "ratio", atLeast: 0.5 } as const
    const memory = { name: "growth of resident memory while a log is stored", unit: "MB", atMost: 64 } as const
    const verdicts = [
      yield* told(
        ratio,
        rounds.map((one) => one.ratio),
        facts
      ),
      yield* told(
        memory,
        rounds.map((one) => one.grownMegabytes),
        {},
        1
      )
    ]
    return verdicts.map((verdict) => ({ ...verdict, reached: verdict.reached && isWhole }))
  },
  Effect.provide(PostgresLogStore.layer({ limitBytes: 2 ** 40 }))
)
