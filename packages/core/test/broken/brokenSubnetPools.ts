// Pools of Subnets that make the mistakes their contract exists for.

import { Clock, Duration, Effect } from "effect"
import { Fence } from "../../src/domain/Lease.ts"
import { format, nextFree } from "../../src/domain/Subnet.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import { PoolExhausted, PoolName, SubnetPool, type SubnetRequest } from "../../src/port/SubnetPool.ts"
import { altered, type Broken } from "./Broken.ts"

const keyOf = ({ owner, pool }: SubnetRequest): string => `${pool.name} ${owner}`

const exhausted = ({ pool: { name, prefix, range } }: SubnetRequest) =>
  new PoolExhausted({ pool: name, range: format(range), prefix })

const onePool = PoolName.make("one")

/** Runs something without the rows that others have, and puts them back. */
const without = <A, E>({ subnets }: MemoryTables, isOthers: (key: string) => boolean, self: Effect.Effect<A, E>) =>
  Effect.suspend(() => {
    const others = [...subnets].filter(([key]) => isOthers(key))
    for (const [key] of others) subnets.delete(key)
    return Effect.ensuring(
      self,
      Effect.sync(() => {
        for (const [key, row] of others) subnets.set(key, row)
      })
    )
  })

/** Broken pools. */
export const brokenSubnetPools: ReadonlyArray<Broken> = [
  {
    what: "a SubnetPool that looks, waits and gives",
    contract: "SubnetPool",
    violates: ["H11 of sixteen", "H11 pools", "H12 an owner"],
    layer: altered(SubnetPool, (original, state) => ({
      reserve: Effect.fnUntraced(function* (request: SubnetRequest) {
        const key = keyOf(request)
        if (state.subnets.has(key)) return yield* original.reserve(request)
        const now = yield* Clock.currentTimeMillis
        const taken = [
          ...request.taken,
          ...[...state.resting.values()].flatMap(({ subnet, until }) => (until > now ? [subnet] : [])),
          ...[...state.subnets.values()].map(({ lease }) => lease.subnet)
        ]
        const { owner, pool, ttl } = request
        const subnet = nextFree(pool.range, pool.prefix, taken)
        yield* Effect.yieldNow
        if (subnet === undefined) return yield* original.reserve(request)
        const lease = { pool: pool.name, owner, subnet, fence: Fence.make(++state.sequence) }
        state.subnets.set(key, { lease, until: 0, isClearing: false })
        return yield* without(state, (other) => other !== key, original.reserve({ pool, owner, ttl, taken: [] }))
      })
    }))
  },
  {
    what: "a SubnetPool that keeps some blocks for itself",
    contract: "SubnetPool",
    violates: ["H11 of sixteen", "B29", "H12 an owner"],
    layer: altered(SubnetPool, (original, { subnets }) => ({
      reserve: (request) =>
        Effect.suspend(() =>
          subnets.size >= 13 && !subnets.has(keyOf(request)) ? exhausted(request) : original.reserve(request)
        )
    }))
  },
  {
    what: "a SubnetPool that never gives a block again",
    contract: "SubnetPool",
    violates: ["B29", "H12 only", "INV-15 a Subnet", "H34 a lease", "H34 of eight"],
    layer: altered(SubnetPool, (original) => ({ release: (lease) => original.release(lease, Duration.days(1)) }))
  },
  {
    what: "a SubnetPool that knows of its own Subnets only",
    contract: "SubnetPool",
    violates: ["H11 pools"],
    layer: altered(SubnetPool, (original, state) => ({
      reserve: (request) => without(state, (key) => !key.startsWith(`${request.pool.name} `), original.reserve(request))
    }))
  },
  {
    what: "a SubnetPool that gives an owner another Subnet each time",
    contract: "SubnetPool",
    violates: ["H12 an owner", "H12 owners", "H12 only"],
    layer: altered(SubnetPool, (original, { subnets }) => ({
      reserve: (request) =>
        Effect.suspend(() => {
          if (subnets.get(keyOf(request))?.isClearing !== true) subnets.delete(keyOf(request))
          return original.reserve(request)
        })
    }))
  },
  {
    what: "a SubnetPool in which an owner is one in all pools",
    contract: "SubnetPool",
    violates: ["H12 owners", "H34 only"],
    layer: altered(SubnetPool, (original) => ({
      reserve: (request) =>
        Effect.map(original.reserve({ ...request, pool: { ...request.pool, name: onePool } }), (lease) => ({
          ...lease,
          pool: request.pool.name
        })),
      release: (lease, rest) => original.release({ ...lease, pool: onePool }, rest),
      claimLapsed: (pool, ttl, limit) =>
        Effect.map(original.claimLapsed(onePool, ttl, limit), (claims) => claims.map((claim) => ({ ...claim, pool })))
    }))
  },
  {
    what: "a SubnetPool that takes a Subnet back under any Fence",
    contract: "SubnetPool",
    violates: ["H12 owners", "H12 only", "H34 a lease", "H34 of eight"],
    layer: altered(SubnetPool, (original, { subnets }) => ({
      release: (lease, rest) =>
        Effect.suspend(() => {
          const fence = subnets.get(`${lease.pool} ${lease.owner}`)?.lease.fence
          return original.release({ ...lease, fence: fence ?? lease.fence }, rest)
        })
    }))
  },
  {
    what: "a SubnetPool that gives what others have",
    contract: "SubnetPool",
    violates: ["INV-15 what is"],
    layer: altered(SubnetPool, (original) => ({ reserve: (request) => original.reserve({ ...request, taken: [] }) }))
  },
  {
    what: "a SubnetPool that gives a block at once again",
    contract: "SubnetPool",
    violates: ["INV-15 a Subnet"],
    layer: altered(SubnetPool, (original) => ({ release: (lease) => original.release(lease, Duration.zero) }))
  },
  {
    what: "a SubnetPool in which what is lapsed is free",
    contract: "SubnetPool",
    violates: ["H34 a lease", "H34 of eight", "H34 only"],
    layer: altered(SubnetPool, (original, { resting, subnets }) => ({
      claimLapsed: (pool, ttl, limit) =>
        Effect.tap(original.claimLapsed(pool, ttl, limit), (claims) =>
          Effect.sync(() => {
            for (const { owner } of claims) subnets.delete(`${pool} ${owner}`)
            resting.clear()
          })
        ),
      reserve: (request) =>
        Effect.suspend(() => {
          const lapsed = [...subnets].filter(([key, { until }]) => until === 0 && key !== keyOf(request))
          for (const [key] of lapsed) subnets.delete(key)
          return original.reserve(request)
        })
    }))
  },
  {
    what: "a SubnetPool that claims once and never again",
    contract: "SubnetPool",
    violates: ["H34 of eight"],
    layer: altered(SubnetPool, (original, state) => ({
      claimLapsed: (pool, ttl, limit) =>
        without(state, (key) => state.subnets.get(key)?.isClearing === true, original.claimLapsed(pool, ttl, limit))
    }))
  },
  {
    what: "a SubnetPool that claims under the old Fence",
    contract: "SubnetPool",
    violates: ["H34 a lease", "H34 of eight"],
    layer: altered(SubnetPool, (original, { subnets }) => ({
      claimLapsed: (pool, ttl, limit) =>
        Effect.suspend(() => {
          const before = new Map(subnets)
          return Effect.map(original.claimLapsed(pool, ttl, limit), (claims) =>
            claims.map((claim) => {
              const key = `${pool} ${claim.owner}`
              const lease = { ...claim, fence: before.get(key)?.lease.fence ?? claim.fence }
              const row = subnets.get(key)
              if (row !== undefined) subnets.set(key, { ...row, lease })
              return lease
            })
          )
        })
    }))
  },
  {
    what: "a SubnetPool that claims what is not over",
    contract: "SubnetPool",
    violates: ["H34 a lease", "H34 of eight", "H34 only"],
    layer: altered(SubnetPool, (original, { subnets }) => ({
      claimLapsed: (pool, ttl, limit) =>
        Effect.suspend(() => {
          for (const [key, row] of subnets) if (row.lease.pool === pool) subnets.set(key, { ...row, until: 0 })
          return original.claimLapsed(pool, ttl, limit)
        })
    }))
  },
  {
    what: "a SubnetPool that claims more than it was asked for",
    contract: "SubnetPool",
    violates: ["H34 only"],
    layer: altered(SubnetPool, (original) => ({ claimLapsed: (pool, ttl) => original.claimLapsed(pool, ttl, 1_000) }))
  },
  {
    what: "a SubnetPool whose leases end when they were to end at first",
    contract: "SubnetPool",
    violates: ["H34 only"],
    layer: altered(SubnetPool, (original, { subnets }) => ({
      reserve: (request) =>
        Effect.suspend(() => {
          const before = subnets.get(keyOf(request))
          return Effect.tap(original.reserve(request), () =>
            Effect.sync(() => {
              if (before !== undefined) subnets.set(keyOf(request), before)
            })
          )
        })
    }))
  },
  {
    what: "a SubnetPool that gives an owner back what is being cleared",
    contract: "SubnetPool",
    violates: ["H34 a lease"],
    layer: altered(SubnetPool, (original, { subnets }) => ({
      reserve: (request) =>
        Effect.suspend(() => {
          const row = subnets.get(keyOf(request))
          if (row !== undefined) subnets.set(keyOf(request), { ...row, isClearing: false })
          return original.reserve(request)
        })
    }))
  }
]
