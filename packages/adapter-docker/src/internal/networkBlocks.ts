// The blocks of Tenants' networks. Each network has a lease of its own in the pool, which its labels name; it lasts as long as
// somebody sees the network, and its block is given back when nobody does. So no crash leaks one, and none is given too early.

import { format, type Subnet } from "@lockkeeper/core/domain/Subnet"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import {
  PoolName,
  type SubnetLease,
  SubnetOwner,
  type SubnetPool,
  type SubnetPoolSpec
} from "@lockkeeper/core/port/SubnetPool"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import type Dockerode from "dockerode"
import { Duration, Effect, Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { call, decoded, patience } from "./call.ts"
import { EngineError } from "./EngineError.ts"
import { type Labels, leaseOf } from "./labels.ts"

/** Where the blocks of networks come from, and how large each one is; what they are for is `networks` unless it is said. */
export interface NetworkPool {
  readonly purpose?: "networks" | "runs" | undefined
  readonly range: Subnet
  readonly prefix: number
  readonly subnets: SubnetPool["Service"]
}

/** How long what a Tenant's old network was may still be sent to. */
const rest = Duration.minutes(1)

/** Longer than it takes to make a network, and than several turns of {@link keepBlocks}. */
const ttl = Duration.minutes(10)

/** How often {@link keepBlocks} is to be done. */
export const keepEvery = Duration.minutes(2)

const Info = Schema.Struct({ ID: Schema.NonEmptyString })

/** Each engine has a pool of its own on the same range: what is left on one is only seen there. */
export const poolOf = (
  docker: Dockerode,
  { prefix, purpose = "networks", range }: NetworkPool
): Effect.Effect<SubnetPoolSpec, EngineError> =>
  call("info", patience.short, () => docker.info()).pipe(
    Effect.flatMap(decoded("info", Info)),
    Effect.map(({ ID }) => {
      const name = PoolName.make(`${purpose}-${createHash("sha256").update(ID).digest("hex").slice(0, 16)}`)
      return { name, range, prefix, rest }
    })
  )

/** That no block is free for the network of a Tenant. */
export const noBlock = ({ range }: NetworkPool, tenant: TenantName): EngineError =>
  new EngineError({
    operation: "create network",
    reason: "overlap",
    detail: `there is no free block of addresses in ${format(range)} for the network of ${tenant}`
  })

const away = ({ message }: StoreError): EngineError =>
  new EngineError({ operation: "reserve subnet", reason: "unreachable", detail: message })

/** A block for a new network of a Tenant, which overlaps nothing that is taken. */
export const leased = Effect.fnUntraced(function* (
  docker: Dockerode,
  pool: NetworkPool,
  tenant: TenantName,
  taken: ReadonlyArray<Subnet>
): Effect.fn.Return<SubnetLease, EngineError> {
  const spec = yield* poolOf(docker, pool)
  const owner = SubnetOwner.make(`${tenant}/${randomBytes(8).toString("hex")}`)
  return yield* pool.subnets
    .reserve({ pool: spec, owner, ttl, taken })
    .pipe(Effect.mapError((error) => (error._tag === "StoreError" ? away(error) : noBlock(pool, tenant))))
})

/** Gives the block back of a network that is gone. Where that fails, its lease is claimed when it is over. */
export const givenBack = ({ subnets }: NetworkPool, labels: Labels): Effect.Effect<void> => {
  const lease = leaseOf(labels)
  if (lease === undefined) return Effect.void
  return Effect.catch(subnets.release(lease, rest), (error) =>
    Effect.logWarning(`the block of a network was not given back yet`, error)
  )
}

/** Keeps the blocks of the networks that there are, by their labels, and gives back what is lapsed and has no network. */
export const keepBlocks = Effect.fnUntraced(function* (
  docker: Dockerode,
  pool: NetworkPool,
  networks: Effect.Effect<ReadonlyArray<Labels>, EngineError>
): Effect.fn.Return<void, EngineError> {
  const { subnets } = pool
  const spec = yield* poolOf(docker, pool)
  // With all of the range taken nothing new is given: what is in nobody's books, as after a restart without a database, stays so.
  const extended = ({ owner, pool: name }: Pick<SubnetLease, "pool" | "owner">) =>
    Effect.catchTags(subnets.reserve({ pool: { ...spec, name }, owner, ttl, taken: [pool.range] }), {
      PoolExhausted: () => Effect.void,
      SubnetLost: () => Effect.void
    })
  const held = Effect.map(networks, (all) => all.flatMap((labels) => leaseOf(labels) ?? []))
  yield* Effect.mapError(Effect.forEach(yield* held, extended, { discard: true }), away)

  const lapsed = yield* Effect.mapError(subnets.claimLapsed(spec.name, ttl, 100), away)
  if (lapsed.length === 0) return
  const owners = new Set((yield* held).map(({ owner }) => owner))
  const gone = lapsed.filter(({ owner }) => !owners.has(owner))
  yield* Effect.mapError(
    Effect.forEach(gone, (lease) => subnets.release(lease, rest), { discard: true }),
    away
  )
})
