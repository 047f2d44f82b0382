// Named leases for work that one replica does for all, such as holding the router.
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { Fence, type ReplicaId } from "../domain/Lease.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Keeps named leases, on one clock. */
export class Leases extends Context.Service<
  Leases,
  {
    /**
     * Takes a lease that is free or over, or extends one's own; its Fence grows with each change of holder. Undefined
     * while somebody else holds it.
     */
    readonly acquire: (
      name: string,
      replica: ReplicaId,
      ttl: Duration.Duration
    ) => Effect.Effect<Fence | undefined, StoreError>
    /** Gives a lease back. Does nothing for who does not hold it. */
    readonly release: (name: string, replica: ReplicaId) => Effect.Effect<void, StoreError>
  }
>()("@lockkeeper/core/port/Leases") {
  /** Leases in memory. */
  static readonly layerMemory: Layer.Layer<Leases, never, MemoryState> = Layer.effect(
    Leases,
    Effect.map(MemoryState, (state) =>
      Leases.of({
        acquire: (name, replica, ttl) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const row = state.leases.get(name)
            const isMine = row?.replica === replica
            if (row?.replica !== undefined && !isMine && row.until > now) return undefined
            const fence = isMine && row !== undefined ? row.fence : Fence.make((row?.fence ?? 0) + 1)
            state.leases.set(name, { replica, fence, until: now + Duration.toMillis(ttl) })
            return fence
          }),
        release: (name, replica) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const row = state.leases.get(name)
            if (row?.replica !== replica) return
            row.replica = undefined
            row.until = Math.min(row.until, now)
          })
      })
    )
  )
}
