// The proxy that cuts connections at their commit: it does so at the point that was asked for, however commits are sent.

import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import * as Database from "./database.ts"
import { type CommitFault, postgresProxy } from "./postgresProxy.ts"
import { postgresWire } from "./postgresWire.ts"

const withSql = <A, R>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, SqlError.SqlError, R>) =>
  Effect.flatMap(SqlClient.SqlClient, use)

const insert = withSql((sql) => sql`insert into kept values (1)`)

const writes = {
  COMMIT: withSql((sql) => sql.withTransaction(insert)),
  "a statement of its own": insert
}

/** Writes once, then with a fault; answers what the client was told and how many rows there are. */
const cut = Effect.fnUntraced(function* (write: typeof insert, prepare: boolean, fault: CommitFault) {
  const proxy = yield* postgresProxy((yield* Database.TestDatabase).url)
  return yield* Effect.gen(function* () {
    yield* withSql((sql) => Effect.all([sql`drop table if exists kept`, sql`create table kept (id int)`]))
    yield* write
    yield* proxy.cutAtCommit(fault)
    const { reason } = yield* Effect.flip(write)
    const kept = yield* withSql((sql) => sql`select id from kept`)
    return { reason: reason._tag, cuts: proxy.cuts(), kept: kept.length }
  }).pipe(Effect.provide(PgClient.layer({ url: proxy.url, prepare, maxConnections: 1 })))
})

layer(Database.layer, { excludeTestServices: true })("a proxy that cuts at a commit", (it) => {
  for (const [what, write] of Object.entries(writes)) {
    for (const prepare of [true, false]) {
      it.effect(`cuts before or after ${what} that is ${prepare ? "" : "not "}prepared`, () =>
        Effect.gen(function* () {
          const told = { reason: "ConnectionError", cuts: 1 }
          assert.deepStrictEqual(yield* cut(write, prepare, "unsent"), { ...told, kept: 1 })
          assert.deepStrictEqual(yield* cut(write, prepare, "unanswered"), { ...told, kept: 2 })
        })
      )
    }
  }
})

const message = (type: string, body: string): Buffer => {
  const bytes = Buffer.from(body)
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes.length + 4)
  return Buffer.concat([Buffer.from(type), length, bytes])
}

const startup = message("", "\0\x03\0\0user\0me\0\0")

describe("what goes over the wire", () => {
  const commits = (...queries: ReadonlyArray<string>) => {
    const wire = postgresWire()
    wire.asked(startup)
    return queries.map((query) => wire.asked(message("Q", `${query}\0`)))
  }

  it("a commit is a COMMIT, or a statement that writes outside of a transaction", () => {
    assert.deepStrictEqual(commits("BEGIN", "insert into t values (1)", "COMMIT"), [false, false, true])
    assert.deepStrictEqual(commits("BEGIN", "rollback to savepoint a", "update t set a = 1"), [false, false, false])
    assert.deepStrictEqual(commits("BEGIN", "ROLLBACK", "update t set a = 1"), [false, false, true])
    assert.deepStrictEqual(commits("select 1", "with a as (delete from t) select 1"), [false, true])
  })

  it("a commit is seen with its last byte, in whatever parts it comes", () => {
    const wire = postgresWire()
    const bytes = Buffer.concat([startup, message("P", "s\0COMMIT\0\0\0"), message("B", "p\0s\0"), message("E", "p\0")])
    const seen = [...bytes].map((byte) => wire.asked(Buffer.from([byte])))
    assert.deepStrictEqual(
      seen.flatMap((isCommit, index) => (isCommit ? [index] : [])),
      [bytes.length - 1]
    )
  })

  it("the server has answered when it is ready for the next query", () => {
    const wire = postgresWire()
    assert.isFalse(wire.answered(message("C", "COMMIT\0")))
    assert.isTrue(wire.answered(message("Z", "I")))
    assert.isFalse(wire.answered(message("N", "notice")))
  })
})
