// How often a Subscriber is offered an Event that it does not take, and that nothing else waits for it.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import { TestClock } from "effect/testing"
import type { Event, EventId } from "../../src/domain/Event.ts"
import { ReplicaId } from "../../src/domain/Lease.ts"
import { EventFeed, EventUnreadable } from "../../src/port/EventFeed.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Subscriber, SubscriberError } from "../../src/port/Subscriber.ts"
import { deliver } from "../../src/program/deliver.ts"
import { deploy } from "../../src/program/deploy.ts"
import { Replica } from "../../src/program/Replica.ts"
import { asked, longTerms, registered } from "../../src/testing/Fixture.ts"
import { dies, hangs, times } from "../../src/testing/Reaction.ts"
import { apps, cursor, delivering, firsts, happened, name, ports, seconds, told } from "./delivering.ts"
import { whileTimePasses } from "./invariants.ts"
import { startReplica } from "./scripted.ts"

const countOf = Effect.fnUntraced(function* (outcome: string) {
  const all = yield* Metric.snapshot
  const found = all.find(
    ({ attributes, id }) => id === "lockkeeper_events_told_total" && attributes?.["outcome"] === outcome
  )
  return found?.type === "Counter" ? Number(found.state.count) : 0
})

/** The feed, as if some of the Events could not be read. */
const besideDamage = Effect.fnUntraced(function* (isDamaged: (event: Event, index: number) => boolean) {
  const [feed, { events: all }] = [yield* EventFeed, yield* MemoryState]
  const damaged = () => all.filter(isDamaged).map(({ id }) => id)
  const read: EventFeed["Service"]["read"] = Effect.fnUntraced(function* (query) {
    const events = yield* feed.read(query)
    const at = events.findIndex(({ id }) => damaged().includes(id))
    const [first] = events
    if (at !== 0 || first === undefined) return at < 0 ? events : events.slice(0, at)
    return yield* new EventUnreadable({ event: first.id, cause: new Error("damaged") })
  })
  return { damaged, service: EventFeed.of({ read }) }
})

describe("X12 U7 a Subscriber", () => {
  it.effect("that is away holds up no Deployment, and is told of it when it is back", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      for (const ailment of ["silence", "failure"] as const) {
        state.told.ailment = ailment
        const fiber = yield* delivering(ailment)
        yield* seconds(1)
        const replica = yield* startReplica(`deployer-${ailment}`)
        const { status } = yield* whileTimePasses(replica.run(deploy(asked(yield* registered()))), 5)
        expect(status).toBe("healthy")
        yield* seconds(60)
        const away = yield* told
        expect(away.length).toBeGreaterThan(1)
        expect(new Set(away.slice(-2)).size).toBe(1)
        state.told.ailment = undefined
        yield* TestClock.adjust("6 minutes")
        expect(yield* firsts).toStrictEqual(yield* happened)
        yield* Fiber.interrupt(fiber)
      }
    }).pipe(Effect.provide(ports))
  )

  it.effect("is told of every Event but those that cannot be read, which are counted and not asked for again", () =>
    Effect.gen(function* () {
      const before = yield* countOf("passed_over")
      const feed = yield* besideDamage(({ id }, index) => index < 2 || id.endsWith("7"))
      yield* Effect.provideService(delivering("one"), EventFeed, feed.service)
      yield* seconds(1)
      yield* apps(30)
      yield* seconds(5)
      const all = yield* happened
      const damaged = feed.damaged()
      expect(damaged.length).toBeGreaterThan(3)
      expect(yield* told).toStrictEqual(all.filter((id) => !damaged.includes(id)))
      expect((yield* countOf("passed_over")) - before).toBe(damaged.length)
      expect(yield* cursor).toBe(all.at(-1))
    }).pipe(Effect.provide(ports))
  )

  it.effect("that refuses an Event is offered it twelve times in some minutes, and then told of the next", () =>
    Effect.gen(function* () {
      const [failedBefore, passedBefore] = [yield* countOf("failed"), yield* countOf("passed_over")]
      const refusing = yield* picky((id, refused) => id === refused)
      yield* TestClock.adjust("1 minute")
      expect(refusing.tries()).toBeLessThan(12)
      yield* TestClock.adjust("10 minutes")
      expect(refusing.tries()).toBe(12)
      expect(refusing.taken).toStrictEqual((yield* happened).slice(1))
      expect((yield* countOf("failed")) - failedBefore).toBe(12)
      expect((yield* countOf("passed_over")) - passedBefore).toBe(1)
    }).pipe(Effect.provide(ports))
  )

  it.effect("that fails for one Event is offered it for six hours, and then told of the next", () =>
    Effect.gen(function* () {
      const failing = yield* picky((id, refused) => id === refused, "unavailable")
      yield* TestClock.adjust("5 hours")
      expect(failing.taken).toStrictEqual([])
      yield* TestClock.adjust("70 minutes")
      expect(failing.tries()).toBeGreaterThan(60)
      expect(failing.taken).toStrictEqual((yield* happened).slice(1))
    }).pipe(Effect.provide(ports))
  )

  it.effect.each([
    ["dies", dies],
    ["hangs", hangs]
  ] as const)("that %s is offered the Event again", ([, reaction]) =>
    Effect.gen(function* () {
      yield* delivering("one", { "Subscriber.deliver": times(2, reaction) })
      yield* seconds(1)
      yield* apps(2)
      yield* TestClock.adjust("5 minutes")
      expect(yield* told).toStrictEqual(yield* happened)
      expect(yield* countOf("delivered")).toBeGreaterThanOrEqual(2)
    }).pipe(Effect.provide(ports))
  )
})

/** A Subscriber that does not take the first of three Events. */
const picky = Effect.fnUntraced(function* (
  isUnwanted: (id: EventId, first: EventId | undefined) => boolean,
  reason: SubscriberError["reason"] = "refused"
) {
  const { events } = yield* MemoryState
  const taken: Array<EventId> = []
  let tries = 0
  const subscriber = Subscriber.of({
    deliver: ({ id }) =>
      Effect.suspend(() => {
        if (isUnwanted(id, events[0]?.id)) {
          tries += 1
          return Effect.fail(new SubscriberError({ reason, detail: "not this one" }))
        }
        taken.push(id)
        return Effect.void
      })
  })
  yield* deliver(name).pipe(
    Effect.provideService(Subscriber, subscriber),
    Effect.provideService(Replica, { id: ReplicaId.make("one"), terms: longTerms }),
    Effect.forkDetach
  )
  yield* seconds(1)
  yield* apps(3)
  return { taken, tries: () => tries }
})
