// How often a Subscriber is offered an Event that it does not take, and that nothing else waits for it.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import { TestClock } from "effect/testing"
import type { EventId } from "../../src/domain/Event.ts"
import { ReplicaId } from "../../src/domain/Lease.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Subscriber, SubscriberError } from "../../src/port/Subscriber.ts"
import { deliver } from "../../src/program/deliver.ts"
import { deploy } from "../../src/program/deploy.ts"
import { Replica } from "../../src/program/Replica.ts"
import { asked, longTerms, registered } from "../../src/testing/Fixture.ts"
import { dies, hangs, times } from "../../src/testing/Reaction.ts"
import { apps, delivering, firsts, happened, name, ports, seconds, told } from "./delivering.ts"
import { whileTimePasses } from "./invariants.ts"
import { startReplica } from "./scripted.ts"

const countOf = Effect.fnUntraced(function* (outcome: string) {
  const all = yield* Metric.snapshot
  const found = all.find(
    ({ attributes, id }) => id === "lockkeeper_events_told_total" && attributes?.["outcome"] === outcome
  )
  return found?.type === "Counter" ? Number(found.state.count) : 0
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
