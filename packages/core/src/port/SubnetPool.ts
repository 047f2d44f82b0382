// Gives blocks of addresses away, each to one owner at a time, on one clock. A block whose lease is over is not free: what is
// at its addresses may still be there, so it is free once somebody has seen that nothing is.
import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import { Fence } from "../domain/Lease.ts"
import { format, nextFree, type Subnet } from "../domain/Subnet.ts"
import { MemoryState, type MemoryTables, type SubnetRow } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Names a pool. Owners of the same name in two pools are two owners. */
export const PoolName = Schema.String.check(Schema.isPattern(/^[a-z0-9_-]{1,64}$/)).pipe(Schema.brand("PoolName"))

/** The type of {@link PoolName}. */
export type PoolName = typeof PoolName.Type

/** Who a Subnet is for: at most one of a pool at a time. */
export const SubnetOwner = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,200}$/)).pipe(
  Schema.brand("SubnetOwner")
)

/** The type of {@link SubnetOwner}. */
export type SubnetOwner = typeof SubnetOwner.Type

/**
 * A pool, as it is declared: blocks of `prefix` bits in a range, which rest for `rest` after they were given back. Pools may
 * share addresses, also with blocks of other sizes: nothing is given away twice.
 */
export interface SubnetPoolSpec {
  readonly name: PoolName
  readonly range: Subnet
  readonly prefix: number
  readonly rest: Duration.Duration
}

/** What is asked for: a block for an owner, for `ttl` from now on, that overlaps nothing of what is `taken` otherwise. */
export interface SubnetRequest {
  readonly pool: SubnetPoolSpec
  readonly owner: SubnetOwner
  readonly ttl: Duration.Duration
  readonly taken: ReadonlyArray<Subnet>
}

/** A Subnet in the hands of one owner. Its Fence is higher than that of whoever had any of its addresses before. */
export interface SubnetLease {
  readonly pool: PoolName
  readonly owner: SubnetOwner
  readonly subnet: Subnet
  readonly fence: Fence
}

/** No block of the pool is free: each one is somebody's, rests, or overlaps what is taken. Nothing was changed. */
export class PoolExhausted extends Schema.TaggedError<PoolExhausted>()("PoolExhausted", {
  pool: PoolName,
  range: Schema.String,
  prefix: Schema.Int
}) {
  override readonly message = `the pool ${this.pool} has no free block of ${this.prefix} bits in ${this.range}`
}

/** The owner's lease was over, and somebody is clearing what was left of it: it has no Subnet until that is done. */
export class SubnetLost extends Schema.TaggedError<SubnetLost>()("SubnetLost", {
  pool: PoolName,
  owner: SubnetOwner
}) {
  override readonly message = `the subnet of ${this.owner} in the pool ${this.pool} is being cleared`
}

/** Keeps who has which Subnet. */
export class SubnetPool extends Context.Service<
  SubnetPool,
  {
    /**
     * Gives a free block to an owner. Asked again by the same owner it answers the same one under the same Fence, whatever is
     * taken by then, and the lease lasts from then on; also when it was over and nobody has claimed it.
     */
    readonly reserve: (request: SubnetRequest) => Effect.Effect<SubnetLease, PoolExhausted | SubnetLost | StoreError>
    /** Gives a Subnet back, which rests from then on. Does nothing for who does not hold it under this Fence. */
    readonly release: (
      lease: Pick<SubnetLease, "pool" | "owner" | "fence">,
      rest: Duration.Duration
    ) => Effect.Effect<void, StoreError>
    /**
     * Claims Subnets of a pool whose lease is over, under a new Fence and for `ttl`: the caller removes what is left at their
     * addresses, and gives them back with `release`. Those that it does not are claimed again when their time is over.
     */
    readonly claimLapsed: (
      pool: PoolName,
      ttl: Duration.Duration,
      limit: number
    ) => Effect.Effect<ReadonlyArray<SubnetLease>, StoreError>
  }
>()("@lockkeeper/core/port/SubnetPool") {
  /** Pools in memory. The lowest free block is given first. */
  static readonly layerMemory: Layer.Layer<SubnetPool, never, MemoryState> = Layer.effect(
    SubnetPool,
    Effect.map(MemoryState, (state) =>
      SubnetPool.of({
        reserve: (request) => Effect.flatMap(Clock.currentTimeMillis, (now) => reserve(state, request, now)),
        release: (lease, rest) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const row = state.subnets.get(keyOf(lease))
            if (row === undefined || row.lease.fence !== lease.fence) return
            const { subnet } = row.lease
            state.subnets.delete(keyOf(lease))
            state.resting.set(format(subnet), { subnet, until: now + Duration.toMillis(rest) })
          }),
        claimLapsed: (pool, ttl, limit) =>
          Effect.map(Clock.currentTimeMillis, (now) =>
            [...state.subnets.values()]
              .filter(({ lease, until }) => lease.pool === pool && until <= now)
              .slice(0, limit)
              .map(({ lease }) => {
                const fence = nextFence(state)
                return kept(state, {
                  lease: { ...lease, fence },
                  until: now + Duration.toMillis(ttl),
                  isClearing: true
                })
              })
          )
      })
    )
  )
}

const keyOf = ({ owner, pool }: Pick<SubnetLease, "pool" | "owner">): string => `${pool} ${owner}`

const nextFence = (state: MemoryTables): Fence => Fence.make(++state.sequence)

const kept = (state: MemoryTables, row: SubnetRow): SubnetLease => {
  state.subnets.set(keyOf(row.lease), row)
  return row.lease
}

const reserve = (
  state: MemoryTables,
  { owner, pool, taken, ttl }: SubnetRequest,
  now: number
): Effect.Effect<SubnetLease, PoolExhausted | SubnetLost> => {
  const { name, prefix, range } = pool
  const until = now + Duration.toMillis(ttl)
  const row = state.subnets.get(keyOf({ pool: name, owner }))
  if (row?.isClearing === true) return new SubnetLost({ pool: name, owner })
  if (row !== undefined) return Effect.succeed(kept(state, { ...row, until }))

  for (const [key, resting] of state.resting) if (resting.until <= now) state.resting.delete(key)
  const held = [...state.subnets.values()].map(({ lease }) => lease.subnet)
  const resting = [...state.resting.values()].map(({ subnet }) => subnet)
  const subnet = nextFree(range, prefix, [...taken, ...held, ...resting])
  if (subnet === undefined) return new PoolExhausted({ pool: name, range: format(range), prefix })
  const lease = { pool: name, owner, subnet, fence: nextFence(state) }
  return Effect.succeed(kept(state, { lease, until, isClearing: false }))
}
