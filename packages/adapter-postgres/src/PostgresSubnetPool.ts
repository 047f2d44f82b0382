// Pools of Subnets on PostgreSQL, on the database's clock. A block is given in one statement, which passes by those that
// others are at; that there is none is only said by who waited for them. Any number of processes may ask at once.

import { Fence } from "@lockkeeper/core/domain/Lease"
import { blocksIn, format, freeSpans, parse, spansFrom, type SubnetSpan } from "@lockkeeper/core/domain/Subnet"
import {
  PoolExhausted,
  type PoolName,
  type SubnetLease,
  SubnetLost,
  SubnetOwner,
  SubnetPool,
  type SubnetPoolSpec,
  type SubnetRequest
} from "@lockkeeper/core/port/SubnetPool"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { type Duration, Effect, Layer, Random, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Int8 } from "./internal/columns.ts"
import { database, eachRowOf, readableOf } from "./internal/Database.ts"
import { type Fault, isOvertaken } from "./internal/faults.ts"
import { freeSubnets } from "./internal/freeSubnets.ts"

const claimedRows = eachRowOf(
  Schema.String,
  Schema.Struct({ owner: SubnetOwner, net: Schema.String, fence: Int8.pipe(Schema.decodeTo(Fence)) })
)

/** What one try came to. `nothing` says only that there was nothing for this try. */
type Given = SubnetLease | "clearing" | "exhausted" | "nothing"

/** How often it is tried again after somebody else was given the same at the same time. */
const tries = 16

/** Makes the pools. */
export const make: Effect.Effect<SubnetPool["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db
  const free = freeSubnets(db)
  /** How many blocks of a range are known to be cut: the search begins at one of them, so that not all begin at the first. */
  const known = new Map<string, number>()

  const keyOf = ({ prefix, range }: SubnetPoolSpec): string => `${format(range)} ${prefix}`

  const spansOf = Effect.fnUntraced(function* ({ pool, taken }: SubnetRequest) {
    const { prefix, range } = pool
    const block = yield* Random.nextIntBetween(0, Math.max(1, known.get(keyOf(pool)) ?? 0))
    return spansFrom(freeSpans(range, prefix, taken), prefix, range.first + block * 2 ** (32 - prefix))
  })

  const tried = Effect.fnUntraced(function* (
    request: SubnetRequest,
    spans: ReadonlyArray<SubnetSpan>,
    locked: "wait" | "skip"
  ): Effect.fn.Return<Given, Fault> {
    const [row] = yield* free.given(request, spans, locked)
    if (row === undefined) return "nothing"
    if (row.cut !== null) known.set(keyOf(request.pool), row.cut)
    if (row.clearing) return "clearing"
    return { pool: request.pool.name, owner: request.owner, subnet: yield* blockOf(row.net), fence: row.fence }
  })

  /** With the range in hand: waits for whoever is at a candidate, and cuts more blocks where there is none. */
  const searched = Effect.fnUntraced(function* (
    request: SubnetRequest,
    spans: ReadonlyArray<SubnetSpan>
  ): Effect.fn.Return<Given, Fault> {
    const { pool } = request
    const blocks = blocksIn(pool.range, pool.prefix)
    if (spans.length === 0) return yield* Effect.map(tried(request, spans, "wait"), orExhausted)
    let [cut] = yield* free.lockedRange(pool)
    while (cut !== undefined) {
      known.set(keyOf(pool), cut.cut)
      const found = yield* tried(request, spans, "wait")
      if (found !== "nothing") return found
      const [left] = yield* free.anyLeft(spans, pool.prefix)
      if (left?.any === true) continue
      if (cut.cut >= blocks) return "exhausted"
      cut = (yield* free.cutMore(pool, cut.cut))[0]
    }
    return yield* Effect.die("a range that was locked is not there")
  })

  const reserveOnce = Effect.fnUntraced(function* (request: SubnetRequest): Effect.fn.Return<Given, StoreError> {
    const spans = yield* spansOf(request)
    const operation = "SubnetPool.reserve"
    const found = yield* db.statement<Given>(operation, tried(request, spans, "skip"))
    return found === "nothing" ? yield* db.transaction<Given>(operation, searched(request, spans)) : found
  })

  const reserve = Effect.fnUntraced(function* (
    request: SubnetRequest
  ): Effect.fn.Return<SubnetLease, PoolExhausted | SubnetLost | StoreError> {
    const { owner, pool } = request
    const found = yield* Effect.retry(reserveOnce(request), { while: isOvertaken, times: tries })
    if (found === "clearing") return yield* new SubnetLost({ pool: pool.name, owner })
    if (typeof found !== "string") return found
    return yield* new PoolExhausted({ pool: pool.name, range: format(pool.range), prefix: pool.prefix })
  })

  const release = ({ fence, owner, pool }: Pick<SubnetLease, "pool" | "owner" | "fence">, rest: Duration.Duration) =>
    db.statement<void>(
      "SubnetPool.release",
      Effect.asVoid(sql`with gone as (
          delete from subnets where pool = ${pool} and owner = ${owner} and fence = ${fence} returning net
        )
        insert into free_subnets (prefix, net, reusable_at) select masklen(net), net, ${free.from(rest)} from gone
        on conflict (prefix, net) do update set reusable_at = excluded.reusable_at`)
    )

  const claimLapsed = (pool: PoolName, ttl: Duration.Duration, limit: number) =>
    db.statement<ReadonlyArray<SubnetLease>>(
      "SubnetPool.claimLapsed",
      Effect.flatMap(
        claimedRows(sql`with lapsed as materialized (
            select owner from subnets where pool = ${pool} and lease_until <= now()
            order by lease_until limit ${limit} for update skip locked
          )
          update subnets s set clearing = true, fence = nextval('subnets_fence_seq'), lease_until = ${free.from(ttl)}
          from lapsed l where s.pool = ${pool} and s.owner = l.owner
          returning s.net::text as id, s.owner, s.net::text, s.fence`),
        (rows) =>
          Effect.flatMap(readableOf("SubnetPool.claimLapsed", rows), (readable) =>
            Effect.forEach(readable, ({ fence, net, owner }) =>
              Effect.map(blockOf(net), (subnet): SubnetLease => ({ pool, owner, subnet, fence }))
            )
          )
      )
    )

  return SubnetPool.of({ reserve, release, claimLapsed })
})

/** Provides the pools. */
export const layer: Layer.Layer<SubnetPool, never, SqlClient.SqlClient> = Layer.effect(SubnetPool, make)

const orExhausted = (found: Given): Given => (found === "nothing" ? "exhausted" : found)

const blockOf = (net: string) => {
  const subnet = parse(net)
  return subnet === undefined ? Effect.die(`${net} is no block of addresses`) : Effect.succeed(subnet)
}
