// Pools of Subnets where sessions meet: whoever is at a block is passed by, and waited for before anybody is refused.

import { assert, layer } from "@effect/vitest"
import { format, type Subnet } from "@lockkeeper/core/domain/Subnet"
import {
  PoolName,
  type SubnetLease,
  SubnetOwner,
  SubnetPool,
  type SubnetPoolSpec,
  type SubnetRequest
} from "@lockkeeper/core/port/SubnetPool"
import { refused } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect, Fiber, Result } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith } from "../../../test/harness/capability.ts"
import { meets, withSql } from "./support/meetings.ts"
import { answers, opened, overtaken, pooledStores, raced, refusals, stores, unique, waiting } from "./support/stores.ts"

const long = Duration.minutes(10)

let pools = 0

/** A pool of as many blocks of 16 addresses, in a range that no other test has. */
const freshPool = Effect.fnUntraced(function* (blocks: number, more: Partial<SubnetPoolSpec> = {}) {
  pools += 1
  const range: Subnet = { first: 10 * 2 ** 24 + pools * 2 ** 16, prefix: 28 - Math.log2(blocks) }
  const name = PoolName.make(`pool-${yield* Given.freshLetters}`)
  return { name, range, prefix: 28, rest: Duration.zero, ...more } satisfies SubnetPoolSpec
})

const reserve = Effect.fnUntraced(function* (pool: SubnetPoolSpec, more: Partial<SubnetRequest> = {}) {
  const owner = SubnetOwner.make(yield* Given.freshLetters)
  return yield* (yield* SubnetPool).reserve({ pool, owner, ttl: long, taken: [], ...more })
})

const release = (lease: SubnetLease) => Effect.flatMap(SubnetPool, (all) => all.release(lease, Duration.zero))

const claimLapsed = ({ name }: SubnetPoolSpec) => Effect.flatMap(SubnetPool, (all) => all.claimLapsed(name, long, 10))

const lapsed = Duration.zero

const inTime = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.timeout(self, "2 seconds")

/** What became of it, without the names that differ from one time to the next. */
const outcomeOf = <A, E extends { readonly _tag: string }, R>(self: Effect.Effect<A, E, R>) =>
  Effect.match(self, { onSuccess: () => "given", onFailure: ({ _tag }): string => _tag })

/** A pool whose blocks are cut, all of them free. */
const cutPool = Effect.fnUntraced(function* (blocks: number) {
  const pool = yield* freshPool(blocks)
  yield* release(yield* reserve(pool))
  return pool
})

const held = ({ name }: SubnetPoolSpec) =>
  withSql((sql) => sql`select owner, net::text, clearing from subnets where pool = ${name} order by owner`)

layer(stores(), { excludeTestServices: true })("a pool of Subnets", (it) => {
  it.effect(
    "H11 H34: of three hundred that ask at once on two replicas, 256 have a block each, and 44 are refused",
    () =>
      Effect.gen(function* () {
        const pool = yield* freshPool(256)
        const results = yield* raced(300, () => reserve(pool))
        const got = answers(results)
        assert.deepStrictEqual([got.length, unique(got.map(({ subnet }) => subnet.first))], [256, 256])
        assert.deepStrictEqual(
          refusals(results),
          Array.from({ length: 44 }, () => "PoolExhausted")
        )
      })
  )

  it.effect("H12: of forty that ask for one owner on two replicas all have one Subnet, and one block is gone", () =>
    Effect.gen(function* () {
      const pool = yield* freshPool(64)
      const owner = SubnetOwner.make("one")
      const results = yield* raced(40, () => reserve(pool, { owner }))
      assert.deepStrictEqual(refusals(results), [])
      assert.strictEqual(unique(answers(results).map(({ fence, subnet }) => `${subnet.first} ${fence}`)), 1)
      assert.lengthOf(yield* held(pool), 1)
    })
  )

  it.effect("H11: passes by a block that somebody is at, and by who is cutting more, and waits for nobody", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const pool = yield* cutPool(4)
      const first = sql`select from free_subnets where net <<= ${format(pool.range)}::text::cidr
        order by net limit 1 for update`
      const range = sql`select from subnet_ranges where range = ${format(pool.range)}::text::cidr for update`
      const commits = [yield* opened(first), yield* opened(range)]
      const leases = yield* Effect.forEach([1, 2, 3], () => inTime(reserve(pool)))
      assert.strictEqual(unique(leases.map(({ subnet }) => subnet.first)), 3)
      yield* Effect.all(commits)
    })
  )

  it.effect("H34 INV-15: refuses nobody before it has waited for who is at the last block", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [looked, gone] = [yield* cutPool(1), yield* cutPool(1)]
      const last = ({ range }: SubnetPoolSpec) => sql`net = ${format(range)}::text::cidr`
      const look = sql`select from free_subnets where ${last(looked)} for update`
      assert.isTrue(Result.isSuccess(yield* overtaken(look, reserve(looked))))
      const take = sql`delete from free_subnets where ${last(gone)}`
      const result = yield* overtaken(take, reserve(gone))
      assert.strictEqual(Result.isFailure(result) && result.failure._tag, "PoolExhausted")
    })
  )

  it.effect("H34: one that was given back without a rest is free for whoever began to look before that", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const pool = yield* freshPool(1)
      const lease = yield* reserve(pool)
      const cutting = yield* opened(
        sql`select from subnet_ranges where range = ${format(pool.range)}::text::cidr for update`
      )
      const fiber = yield* Effect.forkChild(Effect.result(reserve(pool)))
      yield* waiting(1)
      yield* release(lease)
      yield* cutting
      assert.isTrue(Result.isSuccess(yield* Fiber.join(fiber)))
    })
  )

  it.effect(
    "H12: an owner whose Subnet is claimed or given back while it asks again is told so, or has another one",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const pool = yield* freshPool(4)
        const [one, other] = [yield* reserve(pool), yield* reserve(pool)]
        const claim = sql`update subnets set clearing = true where pool = ${pool.name} and owner = ${one.owner}`
        const result = yield* overtaken(claim, reserve(pool, { owner: one.owner }))
        assert.strictEqual(Result.isFailure(result) && result.failure._tag, "SubnetLost")
        const gone = sql`delete from subnets where pool = ${pool.name} and owner = ${other.owner}`
        const again = Result.getOrThrow(yield* overtaken(gone, reserve(pool, { owner: other.owner })))
        assert.isAbove(again.fence, other.fence)
      })
  )

  it.effect(
    "H34: who claims what is lapsed passes by what somebody holds, and takes nothing that was extended meanwhile",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const pool = yield* freshPool(4)
        const [one, other] = [yield* reserve(pool, { ttl: lapsed }), yield* reserve(pool, { ttl: lapsed })]
        const commit = yield* opened(
          sql`select from subnets where pool = ${pool.name} and owner = ${one.owner} for update`
        )
        const claimed = yield* inTime(claimLapsed(pool))
        assert.deepStrictEqual(
          claimed.map(({ owner }) => owner),
          [other.owner]
        )
        yield* commit
        yield* reserve(pool, { owner: one.owner })
        assert.deepStrictEqual(yield* claimLapsed(pool), [])
      })
  )

  it.effect(
    "H11 INV-15: pools on a range and on a part of it share its blocks, and each finds what the other gives back",
    () =>
      Effect.gen(function* () {
        const whole = yield* freshPool(8)
        const part = { ...whole, name: PoolName.make(`${whole.name}-part`), range: { ...whole.range, prefix: 27 } }
        const first = yield* reserve(part)
        const all = yield* Effect.forEach(Array.from({ length: 7 }), () => reserve(whole))
        yield* refused("PoolExhausted", reserve(whole))
        yield* refused("PoolExhausted", reserve(part))
        yield* Effect.forEach([first, ...all], release)
        const again = yield* Effect.forEach([part, part, whole, whole], (pool) => reserve(pool))
        assert.strictEqual(unique(again.map(({ subnet }) => subnet.first)), 4)
      })
  )

  it.effect("H34: a lapsed one that cannot be read stands in the way of no other, and is nobody's", () =>
    Effect.gen(function* () {
      const pool = yield* freshPool(4)
      const damaged = yield* reserve(pool, { ttl: lapsed })
      const others = yield* Effect.replicateEffect(reserve(pool, { ttl: lapsed }), 2)
      const where = format(damaged.subnet)
      yield* withSql((sql) => sql`alter table subnets drop constraint subnets_owner_check`)
      yield* withSql((sql) => sql`update subnets set owner = 'of nobody' where net = ${where}::cidr`)
      const claimed = yield* claimLapsed(pool)
      assert.sameMembers(
        claimed.map(({ owner }) => owner),
        others.map(({ owner }) => owner)
      )
      yield* Effect.forEach(claimed, release)
      yield* Effect.replicateEffect(reserve(pool), 3)
      yield* refused("PoolExhausted", reserve(pool))
    })
  )

  it.effect("H11: a block that overlaps another's is refused by the database, whatever the code does", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const pool = yield* freshPool(4)
      yield* reserve(pool)
      const insert = sql`insert into subnets (pool, owner, net, lease_until)
        values ('other', ${pool.name}, ${format(pool.range)}::text::cidr, now())`
      assert.include(String((yield* Effect.flip(insert)).reason.cause), "subnets_disjoint")
    })
  )

  it.effect(
    "H11 INV-15: in every order of statements, two that ask for the last block are as one after the other",
    () =>
      meets({
        given: Effect.gen(function* () {
          const pool = yield* freshPool(2)
          yield* reserve(pool, { owner: SubnetOwner.make("0") })
          return pool
        }),
        a: (pool) => outcomeOf(reserve(pool, { owner: SubnetOwner.make("a") })),
        b: (pool) => outcomeOf(reserve(pool, { owner: SubnetOwner.make("b") })),
        rows: (pool) =>
          Effect.map(held(pool), (rows) => rows.map(({ owner }) => (owner === "a" || owner === "b" ? owner : "first")))
      })
  )

  it.effect(
    "H12: in every order of statements, giving back, claiming and asking again are as one after the other",
    () =>
      Effect.gen(function* () {
        const given = Effect.gen(function* () {
          const pool = yield* freshPool(1)
          return { pool, lease: yield* reserve(pool, { owner: SubnetOwner.make("a"), ttl: lapsed }) }
        })
        const rows = ({ pool }: Effect.Success<typeof given>) =>
          held(pool).pipe(Effect.map((all) => all.map(({ owner, clearing }) => ({ owner, clearing }))))
        yield* meets({
          given,
          a: ({ lease }) => release(lease),
          b: ({ pool }) => outcomeOf(reserve(pool, { owner: SubnetOwner.make("b") })),
          rows
        })
        yield* meets({
          given,
          a: ({ lease, pool }) => outcomeOf(reserve(pool, { owner: lease.owner })),
          b: ({ pool }) => Effect.map(claimLapsed(pool), (claims) => claims.length),
          rows
        })
      })
  )
})

describeWith("pgbouncer")("K11: behind PgBouncer with two connections", () => {
  layer(pooledStores(2), { excludeTestServices: true })("a pool of Subnets", (it) => {
    it.effect("H11 H34: of eighty that ask at once on two replicas, 64 have a block each, and 16 are refused", () =>
      Effect.gen(function* () {
        const pool = yield* freshPool(64)
        const results = yield* raced(80, () => reserve(pool))
        assert.strictEqual(unique(answers(results).map(({ subnet }) => subnet.first)), 64)
        assert.deepStrictEqual(
          refusals(results),
          Array.from({ length: 16 }, () => "PoolExhausted")
        )
      })
    )
  })
})
