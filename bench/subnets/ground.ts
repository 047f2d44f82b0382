// Pools of 65,536 blocks, of which so many are held, each in a database of its own.

import { apply } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import { PoolName, SubnetOwner, SubnetPool, type SubnetPoolSpec } from "@lockkeeper/core/port/SubnetPool"
import { Console, Duration, Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Cluster } from "../env/cluster.ts"
import { clientOf } from "../jobs/ground.ts"

/** A pool of 65,536 blocks, which do not rest. */
export const pool: SubnetPoolSpec = {
  name: PoolName.make("bench"),
  range: { first: 10 * 2 ** 24, prefix: 8 },
  prefix: 24,
  rest: Duration.zero
}

/** Takes a Subnet. */
export const taken = Effect.fnUntraced(function* (owner: string) {
  const pools = yield* SubnetPool
  return yield* pools.reserve({ pool, owner: SubnetOwner.make(owner), ttl: Duration.hours(1), taken: [] })
})

/** Takes a Subnet and gives it back: what is measured. */
export const passed = Effect.fnUntraced(function* (owner: string) {
  const lease = yield* taken(owner)
  yield* (yield* SubnetPool).release(lease, pool.rest)
})

/** The whole range is cut, and so many of its blocks, from everywhere in it, are held. */
const fill = Effect.fnUntraced(function* (held: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into subnet_ranges (range, prefix, cut) values ('10.0.0.0/8', 24, 65536)`
  yield* sql`insert into free_subnets (prefix, net)
    select 24, set_masklen('10.0.0.0'::inet + n * 256::bigint, 24)::cidr from generate_series(0, 65535) n`
  yield* sql`with chosen as (
      select net, row_number() over () as number from (select net from free_subnets order by md5(net::text)
        limit ${held}::int) c
    ), gone as (
      delete from free_subnets f using chosen c where f.prefix = 24 and f.net = c.net returning f.net
    )
    insert into subnets (pool, owner, net, lease_until)
    select 'bench', 'held-' || c.number, c.net, now() + interval '1 day' from chosen c join gone g on g.net = c.net`
  yield* sql`vacuum analyze subnets, free_subnets, subnet_ranges`
})

/** A database of its own in which so many are held. */
export const database = Effect.fnUntraced(function* (name: string, held: number) {
  const { url } = yield* Cluster
  const sql = yield* SqlClient.SqlClient
  yield* sql.unsafe(`create database ${name}`)
  const own = new URL(Redacted.value(url))
  own.pathname = `/${name}`
  const at = Redacted.make(own.href)
  const begun = performance.now()
  yield* Effect.andThen(apply(), fill(held)).pipe(Effect.provide(clientOf(at, 1)))
  yield* Console.error(`${name}: ${held} of 65536 held in ${Math.round(performance.now() - begun)} ms`)
  return at
})

/** How many are held in the database of the context. */
export const heldNow = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly count: number }>`select count(*)::int as count from subnets`
  return row?.count ?? -1
})
