// The size limit of a log where many write and where the operator changes it, and a writer that does not hear of what it wrote.

import { assert, layer } from "@effect/vitest"
import { knownWriters, LogName, LogStore, LogWriterId, truncationLine } from "@lockkeeper/core/port/LogStore"
import { makeRedactor } from "@lockkeeper/core/domain/Redactor"
import { openLog } from "@lockkeeper/core/program/DeploymentLog"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TestDatabase } from "../../../test/harness/database.ts"
import { statementProxy } from "../../../test/harness/statementProxy.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import { cipher, raced, refusals, replicas, stores } from "./support/stores.ts"

const freshLog = Effect.map(Given.freshLetters, (letters) => LogName.make(`workload/dep_${letters}`))

const said = (...lines: ReadonlyArray<string>) => lines.map((line) => ({ stream: "stdout", line }) as const)

const limit = 1_000

layer(stores({ logLimitBytes: limit }), { excludeTestServices: true })("U1: a log with a limit", (it) => {
  it.effect("that many fill at once is cut once, at the limit, with one line that says so as its last", () =>
    Effect.gen(function* () {
      const [logs, log] = [yield* LogStore, yield* freshLog]
      const results = yield* raced(
        40,
        (index) =>
          Effect.flatMap(LogStore, (store) => store.append(log, said("x".repeat(40), `${index}`.padStart(40)))),
        { logLimitBytes: limit }
      )
      assert.deepStrictEqual(refusals(results), [])
      const { lines } = yield* logs.read(log, 0, 100)
      assert.strictEqual(lines.length, Math.floor(limit / 41) + 1)
      assert.deepStrictEqual(
        lines.filter(({ line }) => line === truncationLine).map(({ seq }) => seq),
        [lines.length]
      )
      assert.deepStrictEqual(
        lines.map(({ seq }) => seq),
        lines.map((_, index) => index + 1)
      )
    })
  )

  it.effect("counts bytes, not characters", () =>
    Effect.gen(function* () {
      const [logs, log] = [yield* LogStore, yield* freshLog]
      yield* logs.append(log, said("é".repeat(499)))
      yield* logs.append(log, said("", "x"))
      const { lines } = yield* logs.read(log, 0, 100)
      assert.deepStrictEqual(
        lines.map(({ line }) => line),
        ["é".repeat(499), "", truncationLine]
      )
    })
  )

  it.effect("stays cut when the limit is raised afterwards", () =>
    Effect.gen(function* () {
      const [logs, log] = [yield* LogStore, yield* freshLog]
      yield* logs.append(log, said("x".repeat(limit)))
      const [other] = yield* replicas({ logLimitBytes: limit * 100 })
      yield* Context.get(other, LogStore).append(log, said("more"))
      const { lines } = yield* logs.read(log, 0, 100)
      assert.deepStrictEqual(
        lines.map(({ line }) => line),
        [truncationLine]
      )
    })
  )
})

layer(stores(), { excludeTestServices: true })("U1: a writer of a log", (it) => {
  const appends = (statement: string): boolean => statement.includes("insert into log_chunks")
  const isCommit = (statement: string): boolean => /^commit/i.test(statement)

  it.effect("stores every line once, whichever statement or commit is not answered or never arrives", () =>
    Effect.gen(function* () {
      const proxy = yield* statementProxy((yield* TestDatabase).url)
      const faulty = yield* Layer.build(
        layerStores({ migrate: "elsewhere" }).pipe(
          Layer.provide(cipher),
          Layer.provide(layerClient({ url: proxy.url, maxConnections: 2 }))
        )
      )
      const [logs, log] = [yield* LogStore, yield* freshLog]
      const lines = Array.from({ length: 1_200 }, (_, index) => `line ${index}`)
      yield* proxy.strike(
        ["unanswered", isCommit],
        ["unanswered", appends],
        ["unsent", appends],
        ["unanswered", appends],
        ["unsent", appends]
      )
      const writing = Effect.gen(function* () {
        const { end, flush, say } = yield* openLog(log, makeRedactor([]))
        for (const [index, [line]] of lines.map((line) => said(line)).entries()) {
          if (line !== undefined) yield* say(line)
          if (index % 150 === 0) yield* flush
        }
        yield* end
      })
      yield* Effect.provideContext(Effect.scoped(writing), faulty)
      assert.lengthOf(proxy.struck(), 5)
      const { ended, lines: stored } = yield* logs.read(log, 0, 10_000)
      assert.deepStrictEqual(
        stored.map(({ line }) => line),
        lines
      )
      assert.isTrue(ended)
    })
  )

  it.effect("is forgotten when many have come after it, and when its log has ended", () =>
    Effect.gen(function* () {
      const [logs, log] = [yield* LogStore, yield* freshLog]
      const sql = yield* SqlClient.SqlClient
      const writerOf = (time: number) => LogWriterId.make(String(time).padStart(20, "0"))
      const known = Effect.map(
        sql<{
          readonly count: number
        }>`select count(*)::int as count from logs, jsonb_each(writers) where name = ${log}`,
        ([row]) => row?.count
      )
      for (let time = 1; time <= knownWriters + 3; time++) {
        yield* logs.append(log, said(`${time}`), { writer: writerOf(time), nth: 1 })
      }
      assert.strictEqual(yield* known, knownWriters)
      yield* logs.append(log, said("again"), { writer: writerOf(4), nth: 1 })
      assert.lengthOf((yield* logs.read(log, 0, 100)).lines, knownWriters + 3)
      yield* logs.append(log, said("again"), { writer: writerOf(3), nth: 1 })
      assert.lengthOf((yield* logs.read(log, 0, 100)).lines, knownWriters + 4)
      yield* logs.end(log)
      assert.strictEqual(yield* known, 0)
    })
  )
})
