// What a stream of Events does with one that cannot be read; how it looks on the wire is in events.test.ts.
import type { EventId } from "@lockkeeper/core/domain/Event"
import { EventFeed, EventUnreadable } from "@lockkeeper/core/port/EventFeed"
import { registered } from "@lockkeeper/core/testing/Fixture"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { followEvents } from "../src/internal/eventStream.ts"
import { memoryPorts } from "./support/memoryServer.ts"

/** The feed, as if these Events could not be read. */
const besideDamage = Effect.fnUntraced(function* (damaged: ReadonlySet<EventId>) {
  const feed = yield* EventFeed
  const read: EventFeed["Service"]["read"] = Effect.fnUntraced(function* (query) {
    const events = yield* feed.read(query)
    const at = events.findIndex(({ id }) => damaged.has(id))
    const [first] = events
    if (at !== 0 || first === undefined) return at < 0 ? events : events.slice(0, at)
    return yield* new EventUnreadable({ event: first.id, cause: new Error("damaged") })
  })
  return EventFeed.of({ read })
})

describe("the stream of Events", () => {
  it.live("X12 goes on after Events that cannot be read, at its beginning and later", () =>
    Effect.gen(function* () {
      const damaged = new Set<EventId>()
      const feed = yield* besideDamage(damaged)
      yield* Effect.replicateEffect(registered(), 6)
      const all = (yield* feed.read({ limit: 10 })).map(({ id }) => id)
      const isDamaged = (index: number) => [0, 1, 3, 4].includes(index)
      for (const [index, id] of all.entries()) if (isDamaged(index)) damaged.add(id)
      const events = yield* Effect.provideService(
        followEvents({ after: undefined, tenant: undefined }),
        EventFeed,
        feed
      )
      const seen = yield* Effect.timeout(Stream.runCollect(Stream.take(events, 2)), "5 seconds")
      assert.deepStrictEqual(
        seen.map(({ id }) => id),
        all.filter((_, index) => !isDamaged(index))
      )
    }).pipe(Effect.provide(memoryPorts))
  )
})
