// Logs in chunks: what is packed is what was said, a part is exact wherever chunks end, and a damaged chunk is an error.

import { assert, describe, it, layer } from "@effect/vitest"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as fc from "fast-check"
import { ChunkRow, chunkLength, pack, storableLines, unpack } from "../src/internal/logChunks.ts"
import { rowsOf } from "../src/internal/Database.ts"
import { stores } from "./support/stores.ts"

const freshLog = Effect.map(Given.freshLetters, (letters) => LogName.make(`workload/dep_${letters}`))

const entry: fc.Arbitrary<LogEntry> = fc.record({
  stream: fc.constantFrom("system", "build", "stdout", "stderr"),
  line: fc.oneof(fc.string({ unit: "binary" }), fc.string({ maxLength: 400 }), fc.constant("x".repeat(20_000))),
  at: fc.option(
    fc.integer({ min: 0, max: 3 }).map((millis) => DateTime.makeUnsafe(1_700_000_000_000 + millis)),
    { nil: undefined }
  )
})

const stored = DateTime.makeUnsafe(1_800_000_000_000)
const chunkRows = rowsOf(ChunkRow)

const decoded = (entries: ReadonlyArray<LogEntry>) =>
  Effect.runSync(
    chunkRows(
      Effect.succeed(
        pack(entries).map(({ first, last, packed }) => ({
          first: BigInt(first),
          last: BigInt(last),
          at: new Date(stored.epochMilliseconds),
          packed
        }))
      )
    )
  )

describe("chunks of a log", () => {
  it("U1: hold every line as it was said, each once, and are bounded", () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 40, size: "max" }), (said) => {
        const { bytes, entries } = storableLines(said)
        const lines = decoded(entries).flatMap(unpack)
        assert.deepStrictEqual(
          lines.map(({ at, line, seq, stream }) => [seq, stream, line, at.epochMilliseconds]),
          entries.map(({ at, line, stream }, index) => [index + 1, stream, line, (at ?? stored).epochMilliseconds])
        )
        assert.strictEqual(
          bytes,
          entries.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, 0)
        )
        for (const chunk of decoded(entries)) {
          const lengths = unpack(chunk).map(({ line }) => line.length)
          assert.isBelow(
            lengths.slice(0, -1).reduce((sum, length) => sum + length, 0),
            chunkLength
          )
        }
      })
    )
  })
})

const numbered = (count: number, length: number): ReadonlyArray<LogEntry> =>
  Array.from({ length: count }, (_, index) => ({ stream: "stdout", line: `${index + 1} ${"x".repeat(length)}` }))

layer(stores(), { excludeTestServices: true })("a log in chunks", (it) => {
  it.effect(
    "X1: is read from any number on, in parts of any size, and loads no chunk that the part has nothing of",
    () =>
      Effect.gen(function* () {
        const [logs, log, sql] = [yield* LogStore, yield* freshLog, yield* SqlClient.SqlClient]
        const said = numbered(400, 1_000)
        yield* logs.append(log, said.slice(0, 1))
        yield* logs.append(log, said.slice(1, 390))
        for (const one of said.slice(390)) yield* logs.append(log, [one])
        const chunks = yield* sql<{ first: number; last: number }>`
        select first::int, last::int from log_chunks where log = ${log} order by first`
        assert.isAbove(chunks.length, 15)
        const borders = chunks.flatMap(({ first, last }) => [first - 1, first, last - 1, last])
        for (const after of new Set([0, ...borders])) {
          for (const limit of [1, 2, 64, 500]) {
            const { lines } = yield* logs.read(log, after, limit)
            assert.deepStrictEqual(
              lines.map(({ line, seq }) => [seq, line]),
              said.slice(after, after + limit).map(({ line }, index) => [after + index + 1, line])
            )
          }
        }
        const [, second, third, fourth] = chunks
        if (second === undefined || third === undefined || fourth === undefined) return assert.fail("too few chunks")
        yield* sql`update log_chunks set packed = '' where log = ${log} and first in (${second.first}, ${fourth.first})`
        const { lines } = yield* logs.read(log, third.first - 1, third.last - third.first + 1)
        assert.lengthOf(lines, third.last - third.first + 1)
      })
  )

  it.effect(
    "E10 X1: one that is damaged, missing or holds another number of lines is an error, and nothing is guessed",
    () =>
      Effect.gen(function* () {
        const [logs, sql] = [yield* LogStore, yield* SqlClient.SqlClient]
        const damages = {
          flipped: sql`set packed = set_byte(packed, 40, get_byte(packed, 40) # 1)`,
          cut: sql`set packed = substring(packed from 1 for 100)`,
          empty: sql`set packed = ''`,
          longer: sql`set last = last + 1`
        }
        const fails = Effect.fnUntraced(function* (log: LogName) {
          const error = yield* Effect.flip(logs.read(log, 0, 10_000))
          if (!(error instanceof StoreError)) return assert.fail(String(error))
          assert.strictEqual(error.reason, "corrupt")
        })
        for (const damage of Object.values(damages)) {
          const log = yield* freshLog
          yield* logs.append(log, numbered(20, 100))
          yield* sql`update log_chunks ${damage} where log = ${log}`
          yield* fails(log)
        }
        const log = yield* freshLog
        for (const one of numbered(3, 1)) yield* logs.append(log, [one])
        yield* sql`delete from log_chunks where log = ${log} and first = 2`
        yield* fails(log)
        assert.strictEqual((yield* Effect.flip(logs.read(log, 1, 1))).reason, "corrupt")
      })
  )

  it.effect(
    "X1: the cursor counts the lines of its time in all chunks, however many have it and whatever stands between",
    () =>
      Effect.gen(function* () {
        const [logs, log] = [yield* LogStore, yield* freshLog]
        const [early, late] = [DateTime.makeUnsafe(1_700_000_000_000), DateTime.makeUnsafe(1_700_000_000_001)]
        const at = (time: DateTime.Utc, count: number) =>
          numbered(count, 9_000).map((entry) => ({ ...entry, at: time }))
        yield* logs.append(log, [...at(late, 1), ...at(early, 1), { stream: "system", line: "between", at: late }])
        yield* logs.append(log, at(late, 200))
        yield* logs.append(log, [{ stream: "system", line: "the end" }])
        const cursor = yield* logs.cursor(log)
        assert.deepStrictEqual([cursor?.at.epochMilliseconds, cursor?.lines], [late.epochMilliseconds, 201])
        const untimed = yield* freshLog
        yield* logs.append(untimed, numbered(3, 1))
        const [line] = (yield* logs.read(untimed, 0, 1)).lines
        const stored = yield* logs.cursor(untimed)
        assert.deepStrictEqual([stored?.at, stored?.lines], [line?.at, 3])
      })
  )
})
