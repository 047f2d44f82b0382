// A Subscriber in memory that Replicas tell of what happens, each with reactions of its own, and what is to be seen of it.
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { ReplicaId } from "../../src/domain/Lease.ts"
import type { EventFeed } from "../../src/port/EventFeed.ts"
import { Failpoints } from "../../src/port/failpoint.ts"
import { Leases } from "../../src/port/Leases.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Subscriber } from "../../src/port/Subscriber.ts"
import { SubscriberName, Subscriptions } from "../../src/port/Subscriptions.ts"
import { deliver } from "../../src/program/deliver.ts"
import { Replica } from "../../src/program/Replica.ts"
import { failpointDeliverPorts } from "../../src/testing/failpointPorts.ts"
import { registered } from "../../src/testing/Fixture.ts"
import type { Reaction } from "../../src/testing/Reaction.ts"
import { world } from "./scripted.ts"

/** Who is told. */
export const name = SubscriberName.make("platform")

/** The ports of `deliver` and of a Deployment in memory. */
export const ports = Layer.mergeAll(Leases.layerMemory, Subscriber.layerMemory, Subscriptions.layerMemory).pipe(
  Layer.provideMerge(world)
)

/** A Replica that delivers in the background, with reactions by the name of the port's method. */
export const delivering = Effect.fnUntraced(function* (id: string, reactions: Readonly<Record<string, Reaction>> = {}) {
  const context = failpointDeliverPorts(yield* Effect.context<EventFeed | Leases | Subscriber | Subscriptions>())
  return yield* deliver(name).pipe(
    Effect.provideContext(context),
    Effect.provideService(Replica, {
      id: ReplicaId.make(id),
      terms: { ttl: Duration.seconds(15), renewEvery: Duration.seconds(4) }
    }),
    Effect.provideService(Failpoints, (point, effect, refuse) => reactions[point]?.(effect, refuse) ?? effect),
    Effect.forkDetach
  )
})

/** What was told, in order. */
export const told = Effect.map(MemoryState, (state) => state.told.events.map(({ id }) => id))

/** What has happened, in order. */
export const happened = Effect.map(MemoryState, ({ events }) => events.map(({ id }) => id))

/** Up to where it was told, as it was written down. */
export const cursor = Effect.map(MemoryState, ({ subscriptions }) => subscriptions.get(name)?.cursor)

/** What was told, each Event once, in the order of the first time. */
export const firsts = Effect.map(told, (ids) => [...new Set(ids)])

/** Lets so many seconds pass. */
export const seconds = (count: number) => Effect.replicateEffect(TestClock.adjust("1 second"), count)

/** Apps that are registered one after the other, an Event each. */
export const apps = (count: number) => Effect.replicateEffect(registered(), count)
