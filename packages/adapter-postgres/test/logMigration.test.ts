// What was stored of logs before migration 8, line by line, is read after it as it was, and goes on from there.

import { assert, describe, it } from "@effect/vitest"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { DateTime, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../../test/harness/database.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import { apply, migrations } from "../src/PostgresMigrations.ts"
import { cipher } from "./support/stores.ts"

const client = Layer.unwrap(Effect.map(Database.TestDatabase, ({ url }) => layerClient({ url, maxConnections: 2 })))

const services = Layer.merge(Layer.provideMerge(client, Database.layer), cipher)

const log = LogName.make("workload/dep_old")
const begun = 1_700_000_000_123
const oddEnd = '"\t\\ \u00e9'

/** 1,000 lines, each a millisecond later and every third one said by Lockkeeper, as version 7 of the schema holds them. */
const old = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into logs (name, lines, bytes) values (${log}, 1000, 12000)`
  yield* sql`insert into log_lines (log, seq, at, stream, line)
    select ${log}, n, timestamptz 'epoch' + (${begun} + n) * interval '1 millisecond' + interval '7 microseconds',
      case when n % 3 = 0 then 'system' else 'stdout' end, 'line ' || n || ${oddEnd}::text
    from generate_series(1, 1000) n`
})

describe("migration 8", () => {
  it.live("U1 X1: keeps each line of a log with its number, its time and who said it, and the log goes on", () =>
    Effect.gen(function* () {
      yield* apply(migrations.filter(({ id }) => id < 8))
      yield* old
      yield* apply()
      yield* Effect.gen(function* () {
        const logs = yield* LogStore
        const { lines } = yield* logs.read(log, 0, 2_000)
        assert.deepStrictEqual(
          lines.map(({ at, line, seq, stream }) => [seq, DateTime.toEpochMillis(at) - begun, stream, line]),
          Array.from({ length: 1_000 }, (_, index) => {
            const n = index + 1
            return [n, n, n % 3 === 0 ? "system" : "stdout", `line ${n}${oddEnd}`]
          })
        )
        const cursor = yield* logs.cursor(log)
        assert.deepStrictEqual([cursor && DateTime.toEpochMillis(cursor.at) - begun, cursor?.lines], [1_000, 1])
        yield* logs.append(log, [{ stream: "stdout", line: "new" }])
        const [next] = (yield* logs.read(log, 1_000, 10)).lines
        assert.deepStrictEqual([next?.seq, next?.line], [1_001, "new"])
      }).pipe(Effect.provide(layerStores({ migrate: "elsewhere" })))
    }).pipe(Effect.provide(services))
  )
})
