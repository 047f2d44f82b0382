// The blocks of addresses of Runs, as every Provider keeps them in a pool: the owner is the Run, so that asking again is the
// same block. When a lease is over and who may give it to another is in SubnetPool.ts.
import { Duration, Effect } from "effect"
import { format, type Subnet } from "../domain/Subnet.ts"
import { type Provider, ProviderError } from "./Provider.ts"
import type { StoreError } from "./StoreError.ts"
import type { SubnetLease, SubnetLost, SubnetOwner, SubnetPool, SubnetPoolSpec } from "./SubnetPool.ts"

/** How long a block is held unless its reservation is extended: a holder that is gone for this long has lost it. */
const ttl = Duration.minutes(10)

/** A pool, and what must not be given of it, as it is now. */
export interface RunPool {
  readonly subnets: SubnetPool["Service"]
  readonly pool: Effect.Effect<SubnetPoolSpec, ProviderError>
  readonly taken: Effect.Effect<ReadonlyArray<Subnet>, ProviderError>
}

const unavailable = (detail: string) => new ProviderError({ reason: "provider_unavailable", detail })

const lost = (error: StoreError | SubnetLost): ProviderError => unavailable(error.message)

/** What a Provider does with blocks. `held` fails unless the Run has this very block now, and extends its reservation. */
export const blocks = ({ pool, subnets, taken }: RunPool) => {
  const reserve = Effect.fnUntraced(function* (owner: SubnetOwner, taken: ReadonlyArray<Subnet>) {
    return yield* subnets
      .reserve({ pool: yield* pool, owner, ttl, taken })
      .pipe(Effect.mapError((error) => (error._tag === "PoolExhausted" ? error : lost(error))))
  })

  // With all of the range taken nothing new is given.
  const again = Effect.fnUntraced(function* (owner: SubnetOwner, subnet: Subnet) {
    const { range } = yield* pool
    const lease = yield* Effect.catchTag(reserve(owner, [range]), "PoolExhausted", () => Effect.succeed(undefined))
    if (lease === undefined || format(lease.subnet) !== format(subnet)) {
      return yield* unavailable(`the block ${format(subnet)} is no longer that of ${owner}`)
    }
    return lease
  })

  return {
    reserve: (owner) => Effect.flatMap(taken, (blocks) => reserve(owner, blocks)),
    extend: ({ owner, subnet }) => Effect.asVoid(again(owner, subnet)),
    held: again,
    giveBack: (lease, unused) =>
      Effect.flatMap(pool, ({ rest }) => Effect.mapError(subnets.release(lease, unused ? Duration.zero : rest), lost))
  } satisfies Pick<Provider, "reserve" | "extend" | "giveBack"> & {
    readonly held: (owner: SubnetOwner, subnet: Subnet) => Effect.Effect<SubnetLease, ProviderError>
  }
}
