// Sealed values on PostgreSQL, whichever store they belong to. Tables are read in ranges of their primary key, so that every
// statement is short. A value is replaced by a statement of its own that waits for nobody and compares the old bytes: it
// cannot deadlock, and whatever a store writes meanwhile stays.

import {
  type ResealRequest,
  SealedSecrets,
  SecretCursor,
  type UnreadableSecret
} from "@lockkeeper/core/port/SealedSecrets"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Effect, Layer, Result, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Sealed } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"
import { type SealedColumn, sealedColumns } from "./internal/sealedColumns.ts"

const Key = Schema.Array(Schema.Union([Schema.String, Schema.Int]))
type Key = typeof Key.Type

/** A column, and the key behind which to go on in it. */
interface Position {
  readonly at: SealedColumn
  readonly key: Key | undefined
}

const nameOf = ({ column, table }: SealedColumn): string => `${table}.${column}`

const CursorText = Schema.fromJsonString(Schema.Struct({ column: Schema.String, key: Schema.optionalKey(Key) }))

const valueRows = rowsOf(Schema.Struct({ key: Key, place: Schema.String, sealed: Schema.NullOr(Sealed) }))

const Counted = Schema.Struct({ rows: Schema.Int, left: Schema.Int, last: Schema.NullOr(Key) })
type Counted = typeof Counted.Type
const countRows = rowsOf(Counted)

/** How many rows one statement counts. */
const counted = 2_000

/** How many values are sealed at a time: the others of the pool are for the stores. */
const concurrency = 3

/** Makes the port over every sealed column of the schema. */
export const make: Effect.Effect<SealedSecrets["Service"], never, SqlClient.SqlClient | SecretCipher> = Effect.gen(
  function* () {
    const db = yield* database
    const cipher = yield* SecretCipher
    const { sql } = db

    const names = ({ key }: SealedColumn, of = "") => sql.literal(key.map((name) => `${of}${name}`).join(", "))
    const isOld = sql`substring(r.sealed from 1 for ${cipher.beginning.length}) <> ${cipher.beginning}`

    const range = ({ at, key }: Position, limit: number) =>
      sql`(
        select ${names(at)}, ${sql.literal(at.place)} as place, ${sql.literal(at.column)} as sealed
        from ${sql.literal(at.table)}
        ${key === undefined ? sql.literal("") : sql`where (${names(at)}) > (${sql.join(", ", false)(key.map((part) => sql`${part}`))})`}
        order by ${names(at)} limit ${limit}
      ) r`

    const values = (from: Position, limit: number) =>
      db.statement<ReadonlyArray<{ readonly key: Key; readonly place: string; readonly sealed: Uint8Array | null }>>(
        "SealedSecrets.reseal",
        valueRows(sql`select jsonb_build_array(${names(from.at, "r.")}) as key, r.place,
          case when ${isOld} then r.sealed end as sealed
          from ${range(from, limit)} order by ${names(from.at, "r.")}`)
      )

    const replace = ({ column, key: names, table }: SealedColumn, key: Key, before: Uint8Array, after: Uint8Array) => {
      const isRow = sql.and(names.map((name, index) => sql`t.${sql.literal(name)} = ${key[index]}`))
      return db.statement<number>(
        "SealedSecrets.reseal",
        Effect.map(
          sql`with free as (select from ${sql.literal(table)} t where ${isRow} for no key update skip locked)
            update ${sql.literal(table)} t set ${sql.literal(column)} = ${after}
            where ${isRow} and t.${sql.literal(column)} = ${before} and exists (select from free)
            returning true`,
          (rows) => rows.length
        )
      )
    }

    const reseal = Effect.fn("PostgresSealedSecrets.reseal")(function* ({ after, limit }: ResealRequest) {
      const from = yield* positionOf(after)
      const unreadable: Array<UnreadableSecret> = []
      const rows = yield* values(from, limit)
      const replaced = yield* Effect.forEach(
        rows.flatMap(({ sealed, ...row }) => (sealed === null ? [] : [{ ...row, sealed }])),
        Effect.fnUntraced(function* ({ key, place, sealed }) {
          const fresh = yield* Effect.result(cipher.reseal(sealed, place))
          if (Result.isSuccess(fresh)) return yield* replace(from.at, key, sealed, fresh.success)
          unreadable.push({ place, reason: fresh.failure.reason })
          return 0
        }),
        { concurrency }
      )
      const next = rows.length < limit ? following(from.at) : { at: from.at, key: rows.at(-1)?.key }
      return {
        resealed: replaced.reduce((sum, count) => sum + count, 0),
        unreadable,
        next: next === undefined ? null : cursorOf(next)
      }
    })

    const count = (from: Position) =>
      db.statement<ReadonlyArray<Counted>>(
        "SealedSecrets.left",
        countRows(sql`select count(*)::int as rows, (count(*) filter (where ${isOld}))::int as left,
          (array_agg(r.key order by r.nth desc))[1] as last
          from (
            select r.sealed, jsonb_build_array(${names(from.at, "r.")}) as key, row_number() over (order by ${names(from.at, "r.")}) as nth
            from ${range(from, counted)}
          ) r`)
      )

    const left = Effect.gen(function* () {
      let total = 0
      let from: Position | undefined = { at: sealedColumns[0], key: undefined }
      while (from !== undefined) {
        const [seen]: ReadonlyArray<Counted> = yield* count(from)
        total += seen?.left ?? 0
        from =
          seen === undefined || seen.rows < counted ? following(from.at) : { at: from.at, key: seen.last ?? undefined }
      }
      return total
    })

    return SealedSecrets.of({ reseal, left })
  }
)

/** Provides the port. */
export const layer: Layer.Layer<SealedSecrets, never, SqlClient.SqlClient | SecretCipher> = Layer.effect(
  SealedSecrets,
  make
)

const following = (at: SealedColumn): Position | undefined => {
  const next = sealedColumns[sealedColumns.indexOf(at) + 1]
  return next === undefined ? undefined : { at: next, key: undefined }
}

const cursorOf = ({ at, key }: Position): SecretCursor =>
  SecretCursor.make(JSON.stringify({ column: nameOf(at), ...(key === undefined ? {} : { key }) }))

const decodeCursor = Schema.decodeUnknownEffect(CursorText)

/** A cursor that is none of {@link cursorOf} is a mistake of the caller. */
const positionOf = Effect.fnUntraced(function* (cursor: SecretCursor | undefined) {
  if (cursor === undefined) return { at: sealedColumns[0], key: undefined }
  const { column, key } = yield* Effect.orDie(decodeCursor(cursor))
  const at = sealedColumns.find((known) => nameOf(known) === column)
  return at === undefined ? yield* Effect.die(new Error("a cursor of no sealed column")) : { at, key }
})
