// Leases that make the mistakes their contract exists for.

import { Clock, Duration, Effect } from "effect"
import { Fence, type ReplicaId } from "../../src/domain/Lease.ts"
import { Leases } from "../../src/port/Leases.ts"
import { altered, type Broken } from "./Broken.ts"

/** Broken Leases. */
export const brokenLeases: ReadonlyArray<Broken> = [
  {
    what: "Leases that an extension ends",
    contract: "Leases",
    violates: ["INV-13 a lease that is held", "INV-13 of eight", "H22"],
    layer: altered(Leases, (original, { leases }) => ({
      acquire: (name, replica, ttl) =>
        Effect.suspend(() =>
          original.acquire(name, replica, leases.get(name)?.replica === replica ? Duration.zero : ttl)
        )
    }))
  },
  {
    what: "Leases that look, wait and take",
    contract: "Leases",
    violates: ["INV-13 of eight"],
    layer: altered(Leases, (original, { leases }) => {
      const acquire = Effect.fnUntraced(function* (name: string, replica: ReplicaId, ttl: Duration.Duration) {
        const now = yield* Clock.currentTimeMillis
        const before = leases.get(name)
        const isHeld = before?.replica !== undefined && before.replica !== replica && before.until > now
        yield* Effect.yieldNow
        if (isHeld) return undefined
        const row = leases.get(name)
        if (row !== undefined && row.replica !== replica) row.replica = undefined
        return yield* original.acquire(name, replica, ttl)
      })
      return { acquire }
    })
  },
  {
    what: "Leases whose Fence stays the same",
    contract: "Leases",
    violates: ["INV-13 a lease that is given back", "INV-13 a lease that is not"],
    layer: altered(Leases, (original) => ({
      acquire: (name, replica, ttl) =>
        Effect.map(original.acquire(name, replica, ttl), (fence) => (fence === undefined ? fence : Fence.make(1)))
    }))
  },
  {
    what: "Leases that anybody may give back",
    contract: "Leases",
    violates: ["INV-13 giving back", "INV-13 a lease that is not"],
    layer: altered(Leases, (_, { leases }) => {
      const release = (name: string) =>
        Effect.sync(() => {
          const row = leases.get(name)
          if (row !== undefined) row.replica = undefined
        })
      return { release }
    })
  },
  {
    what: "Leases that cut long names",
    contract: "Leases",
    violates: ["Leases-1"],
    layer: altered(Leases, (original) => ({
      acquire: (name, replica, ttl) => original.acquire(name.slice(0, 29), replica, ttl),
      release: (name, replica) => original.release(name.slice(0, 29), replica)
    }))
  },
  {
    what: "Leases that do not last longer when they are extended",
    contract: "Leases",
    violates: ["H22"],
    layer: altered(Leases, (original, { leases }) => {
      const acquire = (name: string, replica: ReplicaId, ttl: Duration.Duration) =>
        Effect.suspend(() => {
          const before = leases.get(name)
          return Effect.tap(original.acquire(name, replica, ttl), () =>
            Effect.sync(() => {
              const row = leases.get(name)
              if (row !== undefined && before?.replica === replica) row.until = before.until
            })
          )
        })
      return { acquire }
    })
  }
]
