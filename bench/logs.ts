// How fast what a program says gets into a log: a stream of so many MiB through the splitter, the Redactor and the writer
// into Postgres, as a ratio to reading the same stream to nowhere through the same splitter. What is stored is compared by its
// SHA-256. One JSON line for each round and one for the whole; 1 when a goal was missed.

import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { EmbeddedPostgres, layer as embedded } from "@lockkeeper/adapter-postgres/EmbeddedPostgres"
import { layerClient } from "@lockkeeper/adapter-postgres/layer"
import * as PostgresLogStore from "@lockkeeper/adapter-postgres/PostgresLogStore"
import { apply } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { makeLineSplitter } from "@lockkeeper/core/domain/lineSplitter"
import { makeRedactor } from "@lockkeeper/core/domain/Redactor"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { openLog } from "@lockkeeper/core/program/DeploymentLog"
import { Console, Data, Effect, FileSystem, Layer, Redacted, Stream } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { parseArgs } from "node:util"

const goals = { ratio: 0.5, grownMegabytes: 64 }
const mebibyte = 1024 * 1024
const chunkBytes = 64 * 1024

class GoalsMissed extends Data.TaggedError("GoalsMissed")<{ readonly message: string }> {}

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

const secondsOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const begun = performance.now()
    const answer = yield* self
    return [(performance.now() - begun) / 1_000, answer] as const
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

const round = Effect.fnUntraced(function* (number: number, mebibytes: number) {
  const log = LogName.make(`workload/dep_bench${number}`)
  const [nowhereSeconds, expected] = yield* secondsOf(toNowhere(mebibytes))
  const [grownMegabytes, [seconds]] = yield* grown(secondsOf(intoPostgres(log, mebibytes)))
  const result = {
    bench: "log ingestion",
    round: number,
    mebibytes,
    nowhereMibPerSecond: Math.round(mebibytes / nowhereSeconds),
    mibPerSecond: Math.round((mebibytes / seconds) * 10) / 10,
    ratio: Number((nowhereSeconds / seconds).toFixed(3)),
    grownMegabytes: Math.round(grownMegabytes),
    isWhole: (yield* storedIn(log)) === expected
  }
  yield* Console.log(JSON.stringify(result))
  return result
})

const bench = Effect.gen(function* () {
  const { values } = parseArgs({
    options: { mib: { type: "string", default: "128" }, rounds: { type: "string", default: "3" } }
  })
  yield* apply()
  yield* round(0, Math.min(16, Number(values.mib)))
  const rounds = yield* Effect.forEach(Array.from({ length: Number(values.rounds) }).keys(), (index) =>
    round(index + 1, Number(values.mib))
  )
  const ratio = rounds.map((one) => one.ratio).sort((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? 0
  const grownMegabytes = Math.max(...rounds.map((one) => one.grownMegabytes))
  const isReached =
    ratio >= goals.ratio && grownMegabytes < goals.grownMegabytes && rounds.every(({ isWhole }) => isWhole)
  yield* Console.log(JSON.stringify({ bench: "log ingestion", ratio, grownMegabytes, goals, isReached }))
  if (!isReached) return yield* new GoalsMissed({ message: "a goal was missed" })
})

const database = Layer.unwrap(
  Effect.gen(function* () {
    const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "lockkeeper-bench-" })
    const client = Layer.unwrap(Effect.map(EmbeddedPostgres, ({ url }) => layerClient({ url, maxConnections: 4 })))
    return client.pipe(Layer.provide(embedded({ dataDir })))
  })
)

const stores = Layer.provideMerge(PostgresLogStore.layer({ limitBytes: 2 ** 40 }), database)

bench.pipe(Effect.provide(Layer.provide(stores, NodeServices.layer)), NodeRuntime.runMain)
