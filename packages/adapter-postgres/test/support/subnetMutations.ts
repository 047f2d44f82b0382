// Every method of the pools of Subnets that changes something, as mutations.ts has those of the stores.

import {
  PoolName,
  type SubnetLease,
  SubnetOwner,
  SubnetPool,
  type SubnetRequest
} from "@lockkeeper/core/port/SubnetPool"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect } from "effect"
import { withSql } from "./meetings.ts"
import type { EveryMutation } from "./mutations.ts"

const pools = <A, E, R>(use: (pools: SubnetPool["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SubnetPool, use)

const requested = Effect.fnUntraced(function* (ttl: Duration.Duration) {
  const range = { first: 10 * 2 ** 24, prefix: 8 }
  const name = PoolName.make(`pool-${yield* Given.freshLetters}`)
  const request: SubnetRequest = {
    pool: { name, range, prefix: 24, rest: Duration.hours(1) },
    owner: SubnetOwner.make("owner"),
    ttl,
    taken: []
  }
  return request
})

const reserved = (ttl = Duration.hours(1)) =>
  Effect.flatMap(requested(ttl), (request) => pools((all) => all.reserve(request)))

const rows = (pool: PoolName) =>
  withSql(
    (sql) => sql`select s.owner, s.clearing, s.lease_until > now() as leased from subnets s where s.pool = ${pool}`
  )

/** A request to a pool whose range is cut: it is one statement. */
const asked = Effect.gen(function* () {
  const request = yield* requested(Duration.hours(1))
  yield* pools((all) => all.reserve({ ...request, owner: SubnetOwner.make("other") }))
  return request
})

/** How many Subnets a claim is of. */
const claimedOf = ({ pool }: SubnetLease) =>
  Effect.map(
    pools((all) => all.claimLapsed(pool, Duration.hours(1), 10)),
    (claims) => claims.length
  )

/** All of them. */
export const subnetMutations: EveryMutation = {
  each: (use) => [
    use({
      method: "SubnetPool.reserve",
      given: asked,
      call: (request) =>
        Effect.map(
          pools((all) => all.reserve(request)),
          ({ owner }) => owner
        ),
      rows: ({ pool }) => rows(pool.name),
      again: "owner"
    }),
    use({
      method: "SubnetPool.release",
      given: reserved(),
      call: (lease) => pools((all) => all.release(lease, Duration.hours(1))),
      rows: ({ pool }) => rows(pool),
      again: undefined
    }),
    use({
      method: "SubnetPool.claimLapsed",
      given: reserved(Duration.zero),
      call: claimedOf,
      rows: ({ pool }) => rows(pool),
      again: 0
    })
  ]
}
