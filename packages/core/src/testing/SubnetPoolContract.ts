// What every keeper of Subnets keeps: no address in two hands, a block for everybody as long as there is one, and nothing
// from who is no longer the owner. Each law has a range of its own, so that pools of other laws are in nobody's way.
import { Duration, Effect } from "effect"
import { overlaps, type Subnet } from "../domain/Subnet.ts"
import {
  PoolName,
  type SubnetLease,
  SubnetOwner,
  SubnetPool,
  type SubnetPoolSpec,
  type SubnetRequest
} from "../port/SubnetPool.ts"
import { type Contract, equal, eventually, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const long = Duration.minutes(10)
const short = Duration.millis(300)

const freshOwner = Effect.map(Given.freshLetters, (letters) => SubnetOwner.make(`owner/${letters}`))

const freshName = Effect.map(Given.freshLetters, (letters) => PoolName.make(`contract-${letters}`))

/** A pool of sixteen blocks that do not rest, in a range of 256 addresses that nobody else has. */
const freshPool = Effect.fnUntraced(function* (more: Partial<SubnetPoolSpec> = {}) {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3))
  const range: Subnet = { first: ((a * 256 + b) * 256 + c) * 256, prefix: 24 }
  return { name: yield* freshName, range, prefix: 28, rest: Duration.zero, ...more } satisfies SubnetPoolSpec
})

const reserve = Effect.fnUntraced(function* (pool: SubnetPoolSpec, more: Partial<SubnetRequest> = {}) {
  const owner = more.owner ?? (yield* freshOwner)
  return yield* (yield* SubnetPool).reserve({ pool, owner, ttl: long, taken: [], ...more })
})

const many = (count: number, pool: SubnetPoolSpec) => Effect.forEach(Array.from({ length: count }), () => reserve(pool))

const release = (lease: SubnetLease, rest: Duration.Duration = Duration.zero) =>
  Effect.flatMap(SubnetPool, (pools) => pools.release(lease, rest))

const claimLapsed = (pool: SubnetPoolSpec, ttl: Duration.Duration = long) =>
  Effect.flatMap(SubnetPool, (pools) => pools.claimLapsed(pool.name, ttl, 10))

/** Claims what is lapsed of a pool as soon as there is something. */
const claimedLapsed = Effect.fnUntraced(function* (pool: SubnetPoolSpec, ttl: Duration.Duration = long) {
  const [claim] = yield* eventually("a lease that is over", claimLapsed(pool, ttl), (found) => found.length > 0)
  return yield* present("a claim", claim)
})

const disjoint = (leases: ReadonlyArray<SubnetLease>) => {
  const sorted = leases.map(({ subnet }) => subnet).sort((a, b) => a.first - b.first)
  const pair = sorted.find((subnet, index) => index > 0 && overlaps(subnet, sorted[index - 1] ?? subnet))
  return holds("disjoint Subnets", pair === undefined, pair)
}

/** Asks until there is a block again. */
const reserveWhenFree = Effect.fnUntraced(function* (pool: SubnetPoolSpec) {
  const owner = yield* freshOwner
  const asked = Effect.catchTag(reserve(pool, { owner }), "PoolExhausted", () => Effect.succeed(undefined))
  return yield* present("a Subnet", yield* eventually("a free block", asked, (lease) => lease !== undefined))
})

/** The laws of {@link SubnetPool}. */
export const SubnetPoolContract: Contract<SubnetPool> = [
  law(
    "H11",
    "of sixteen that ask at the same time each gets a block of its own, of the pool's size and inside of its range",
    Effect.gen(function* () {
      const pool = yield* freshPool()
      const leases = yield* Effect.all(
        Array.from({ length: 16 }, () => reserve(pool)),
        { concurrency: "unbounded" }
      )
      yield* disjoint(leases)
      const isInside = ({ subnet }: SubnetLease) => subnet.prefix === pool.prefix && overlaps(pool.range, subnet)
      yield* holds("blocks of the pool", leases.every(isInside), leases)
    })
  ),

  law(
    "B29",
    "every block is given before anybody is refused, and one that is given back is given again",
    Effect.gen(function* () {
      const pool = yield* freshPool()
      const leases = yield* many(16, pool)
      yield* refused("PoolExhausted", reserve(pool))
      yield* release(yield* present("a lease", leases[5]))
      yield* reserve(pool)
      const { prefix, range } = yield* refused("PoolExhausted", reserve(pool))
      yield* holds("what has no free block", prefix === 28 && range.endsWith("/24"), { prefix, range })
    })
  ),

  law(
    "H11",
    "pools that share their addresses, in blocks of one size or of several, give none of them twice",
    Effect.gen(function* () {
      const pool = yield* freshPool()
      const same = { ...pool, name: yield* freshName }
      const larger = { ...pool, name: yield* freshName, prefix: 26 }
      const smaller = { ...pool, name: yield* freshName, prefix: 30 }
      const asked = [pool, smaller, larger, same, larger, smaller, pool, same]
      const leases = yield* Effect.forEach(asked, (one) => reserve(one))
      yield* disjoint(leases)
      const results = yield* together(Array.from({ length: 40 }, (_, index) => reserve(asked[index % 8] ?? pool)))
      const more = results.flatMap((result) => (result._tag === "Success" ? [result.success] : []))
      yield* disjoint([...leases, ...more])
    })
  ),

  law(
    "H12",
    "an owner that asks again, also many times at once, has one Subnet under one Fence",
    Effect.gen(function* () {
      const pool = yield* freshPool()
      const owner = yield* freshOwner
      const asked = Array.from({ length: 8 }, () => reserve(pool, { owner }))
      const [first, ...others] = yield* Effect.all(asked, { concurrency: "unbounded" })
      const lease = yield* present("a Subnet", first)
      for (const other of others) yield* equal("what it has", other, lease)
      yield* equal("what it has when all is taken", yield* reserve(pool, { owner, taken: [pool.range] }), lease)
      yield* many(15, pool)
      yield* equal("what it has when the pool is full", yield* reserve(pool, { owner }), lease)
    })
  ),

  law(
    "H12",
    "owners of one name in two pools are two owners",
    Effect.gen(function* () {
      const pool = yield* freshPool()
      const owner = yield* freshOwner
      const [one, other] = [yield* reserve(pool, { owner }), yield* reserve(yield* freshPool(), { owner })]
      yield* release(one)
      yield* release({ ...one, pool: other.pool })
      yield* equal("what the other one has", yield* reserve({ ...pool, name: other.pool }, { owner }), other)
    })
  ),

  law(
    "H12",
    "only who holds a Subnet gives it back, once: with the name or the Fence of another nothing happens, nor again",
    Effect.gen(function* () {
      const pool = yield* freshPool({ prefix: 24 })
      const lease = yield* reserve(pool)
      yield* release({ ...lease, owner: yield* freshOwner })
      yield* refused("PoolExhausted", reserve(pool))
      yield* release(lease)
      const next = yield* reserve(pool)
      yield* release(lease)
      yield* release({ ...lease, owner: next.owner })
      yield* refused("PoolExhausted", reserve(pool))
      yield* release(next)
      const again = yield* reserve(pool, { owner: lease.owner })
      yield* holds("growing Fences", lease.fence < next.fence && next.fence < again.fence, [lease, next, again])
      yield* release(lease)
      yield* equal("what it has after it gave back what it had", yield* reserve(pool, { owner: lease.owner }), again)
    })
  ),

  law(
    "INV-15",
    "what is taken otherwise is never given, and what lies around it is",
    Effect.gen(function* () {
      const pool = yield* freshPool()
      const { first } = pool.range
      const taken: ReadonlyArray<Subnet> = [
        { first: first + 16, prefix: 32 },
        { first: first + 64, prefix: 26 },
        { first: first + 240, prefix: 29 },
        { first: first + 1024, prefix: 24 }
      ]
      const leases = yield* Effect.forEach(Array.from({ length: 10 }), () => reserve(pool, { taken }))
      yield* disjoint(leases)
      const hit = leases.find(({ subnet }) => taken.some((block) => overlaps(subnet, block)))
      yield* holds("Subnets that nobody else has", hit === undefined, hit)
      yield* refused("PoolExhausted", reserve(pool, { taken }))
      yield* refused("PoolExhausted", reserve(yield* freshPool({ prefix: 20 })))
    })
  ),

  law(
    "INV-15",
    "a Subnet that was given back rests: until that is over nobody is given any of its addresses, and then somebody is",
    Effect.gen(function* () {
      const pool = yield* freshPool({ prefix: 25 })
      const [one, other] = [yield* reserve(pool), yield* reserve(pool)]
      yield* release(one, long)
      yield* release(other, short)
      yield* refused("PoolExhausted", reserve(pool))
      yield* refused("PoolExhausted", reserve({ ...pool, name: yield* freshName, prefix: 24 }))
      yield* equal("the Subnet that has rested", (yield* reserveWhenFree(pool)).subnet, other.subnet)
      yield* refused("PoolExhausted", reserve(pool))
    })
  ),

  law(
    "H34",
    "a lease that is over is claimed once, and its Subnet is nobody's until who claimed it gives it back",
    Effect.gen(function* () {
      const pool = yield* freshPool({ prefix: 24 })
      const lease = yield* reserve(pool, { ttl: short })
      const claim = yield* claimedLapsed(pool)
      yield* equal("the claim", { ...claim, fence: lease.fence }, lease)
      yield* holds("a higher Fence", lease.fence < claim.fence, [lease, claim])
      yield* equal("what is claimed again", yield* claimLapsed(pool), [])
      yield* refused("SubnetLost", reserve(pool, { owner: lease.owner }))
      yield* release(lease)
      yield* refused("PoolExhausted", reserve(pool))
      yield* release(claim)
      yield* equal("the Subnet", (yield* reserve(pool)).subnet, lease.subnet)
    })
  ),

  law(
    "H34",
    "of eight that claim what is lapsed at the same time one gets it; who does not clear it loses it to another",
    Effect.gen(function* () {
      const pool = yield* freshPool({ prefix: 24 })
      yield* reserve(pool, { ttl: Duration.zero })
      const all = yield* Effect.all(
        Array.from({ length: 8 }, () => claimLapsed(pool, Duration.seconds(1))),
        { concurrency: "unbounded" }
      )
      const claims = all.flat()
      yield* equal("how many get it", claims.length, 1)
      const claim = yield* present("a claim", claims[0])
      const next = yield* claimedLapsed(pool)
      yield* holds("a higher Fence", claim.fence < next.fence, [claim, next])
      yield* release(claim)
      yield* refused("PoolExhausted", reserve(pool))
      yield* release(next)
      yield* reserve(pool)
    })
  ),

  law(
    "H34",
    "only leases that are over are claimed, of that pool and as many as asked; one who asks again has its own for longer",
    Effect.gen(function* () {
      const pool = yield* freshPool()
      const other = { ...pool, name: yield* freshName }
      yield* reserve(other, { ttl: Duration.zero })
      const kept = yield* reserve(pool, { ttl: Duration.zero })
      yield* reserve(pool, { owner: kept.owner })
      const lapsed = yield* Effect.forEach(Array.from({ length: 3 }), () => reserve(pool, { ttl: Duration.zero }))
      const pools = yield* SubnetPool
      const [two, rest] = [yield* pools.claimLapsed(pool.name, long, 2), yield* claimLapsed(pool)]
      yield* equal("how many are claimed at once", two.length, 2)
      const names = (leases: ReadonlyArray<SubnetLease>) => leases.map(({ owner }) => owner).sort()
      yield* equal("whose are claimed", names([...two, ...rest]), names(lapsed))
    })
  )
]
