// Who is told of what happens, and in which order, whoever is killed, hangs or loses its stores meanwhile.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Fence, ReplicaId } from "../../src/domain/Lease.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { dies, endsAfter, fails, loses, makeHold, type Reaction, times } from "../../src/testing/Reaction.ts"
import { apps, cursor, delivering, firsts, happened, name, ports, seconds, told } from "./delivering.ts"
import { whileTimePasses } from "./invariants.ts"
import { startReplica } from "./scripted.ts"

describe("X12 telling a Subscriber", () => {
  it.effect("U7: begins with what happens from then on, in order, each Event once, and every one of a Deployment", () =>
    Effect.gen(function* () {
      yield* apps(2)
      const before = (yield* happened).length
      yield* delivering("one")
      yield* seconds(1)
      expect(yield* told).toStrictEqual([])
      const app = yield* registered()
      const replica = yield* startReplica("deployer")
      yield* whileTimePasses(replica.run(deploy(asked(app))))
      yield* seconds(2)
      expect(yield* told).toStrictEqual((yield* happened).slice(before))
      const { told: state } = yield* MemoryState
      expect(state.events.map(({ type }) => type)).toStrictEqual([
        "app.live",
        "deployment.queued",
        "deployment.building",
        "deployment.deploying",
        "deployment.healthy"
      ])
      expect(yield* cursor).toBe((yield* told).at(-1))
    }).pipe(Effect.provide(ports))
  )

  it.effect("goes on over more Events than one call reads", () =>
    Effect.gen(function* () {
      yield* delivering("one")
      yield* seconds(1)
      yield* apps(230)
      yield* seconds(3)
      expect(yield* told).toStrictEqual(yield* happened)
    }).pipe(Effect.provide(ports))
  )

  it.effect("INV-13: of two Replicas one tells each Event once, and the other goes on when it stops", () =>
    Effect.gen(function* () {
      const one = yield* delivering("one")
      yield* delivering("two")
      yield* seconds(1)
      yield* apps(20)
      yield* seconds(10)
      yield* apps(20)
      yield* seconds(10)
      expect(yield* told).toStrictEqual(yield* happened)
      yield* Fiber.interrupt(one)
      yield* apps(20)
      yield* seconds(5)
      expect(yield* told).toStrictEqual(yield* happened)
    }).pipe(Effect.provide(ports))
  )

  it.effect.each([
    ["killed after an Event was taken and before that was written down", "Subscriber.deliver", endsAfter(Effect.void)],
    ["killed after that was written down", "Subscriptions.advance", endsAfter(Effect.void)]
  ] as const)("INV-13: a Replica that is %s is followed by another", ([, point, reaction]) =>
    Effect.gen(function* () {
      let isKilled = false
      const killed: Reaction = (call, refuse) =>
        Effect.suspend(() => {
          isKilled = true
          return reaction(call, refuse)
        })
      const dead: Reaction = (call) => Effect.suspend(() => (isKilled ? Effect.never : call))
      const everything = ["EventFeed.read", "Leases.acquire", "Leases.release"]
      const others = Object.fromEntries(everything.map((each) => [each, dead]))
      yield* delivering("one", { ...others, [point]: killed })
      yield* seconds(1)
      yield* delivering("two")
      yield* apps(3)
      yield* seconds(30)
      const ids = yield* happened
      const repeats = point === "Subscriber.deliver" ? ids.slice(0, 1) : []
      expect(yield* told).toStrictEqual([...repeats, ...ids])
    }).pipe(Effect.provide(ports))
  )

  it.effect(
    "H22: who loses the lease while it tells begins no other, and what it has told is not written down late",
    () =>
      Effect.gen(function* () {
        const hold = yield* makeHold
        let isFrozen = false
        const frozen: Reaction = (call, refuse) => Effect.suspend(() => (isFrozen ? (refuse ?? Effect.never) : call))
        yield* delivering("one", {
          "Leases.acquire": frozen,
          "Subscriber.deliver": hold.after
        })
        yield* seconds(1)
        yield* apps(3)
        yield* seconds(1)
        yield* hold.reached
        isFrozen = true
        yield* delivering("two")
        yield* seconds(14)
        expect((yield* told).length).toBe(1)
        yield* hold.release
        yield* seconds(20)
        const ids = yield* happened
        expect(yield* told).toStrictEqual([...ids.slice(0, 1), ...ids])
        expect(yield* cursor).toBe(ids.at(-1))
      }).pipe(Effect.provide(ports))
  )

  it.effect("H22: who cannot renew the lease tells nothing from its own deadline on, and goes on when it can", () =>
    Effect.gen(function* () {
      let isAway = false
      const away: Reaction = (call, refuse) => Effect.suspend(() => (isAway ? (refuse ?? call) : call))
      yield* delivering("one", { "Leases.acquire": away })
      yield* seconds(1)
      yield* apps(1)
      yield* seconds(1)
      isAway = true
      yield* seconds(10)
      yield* apps(1)
      yield* seconds(1)
      expect(yield* told).toStrictEqual(yield* happened)
      yield* seconds(1)
      const before = yield* told
      yield* apps(2)
      yield* seconds(30)
      expect(yield* told).toStrictEqual(before)
      isAway = false
      yield* seconds(10)
      expect(yield* told).toStrictEqual(yield* happened)
    }).pipe(Effect.provide(ports))
  )

  it.effect("INV-13: who hears that somebody else has the lease tells nothing more", () =>
    Effect.gen(function* () {
      yield* delivering("one")
      yield* seconds(1)
      const { leases } = yield* MemoryState
      const lease = leases.get(`subscriber/${name}`)
      if (lease === undefined) return expect.unreachable("it has a lease")
      leases.set(`subscriber/${name}`, { ...lease, replica: ReplicaId.make("other"), until: Number.MAX_SAFE_INTEGER })
      yield* seconds(4)
      yield* apps(2)
      yield* seconds(30)
      expect(yield* told).toStrictEqual([])
    }).pipe(Effect.provide(ports))
  )

  it.effect("INV-2: who is refused by the Subscription tells nothing more under that Fence", () =>
    Effect.gen(function* () {
      const hold = yield* makeHold
      yield* delivering("one", { "Subscriber.deliver": hold.after })
      yield* seconds(1)
      yield* apps(3)
      yield* seconds(1)
      yield* hold.reached
      const { subscriptions } = yield* MemoryState
      const row = subscriptions.get(name)
      if (row === undefined) return expect.unreachable("it is told")
      subscriptions.set(name, { ...row, fence: Fence.make(row.fence + 1) })
      yield* hold.release
      yield* seconds(3)
      expect((yield* told).length).toBe(1)
      expect(yield* cursor).toBe(row.cursor)
      yield* seconds(10)
      const ids = yield* happened
      expect(yield* told).toStrictEqual([...ids.slice(0, 1), ...ids])
    }).pipe(Effect.provide(ports))
  )

  it.effect.each([
    ["EventFeed.read", fails],
    ["EventFeed.read", dies],
    ["Subscriptions.begin", fails],
    ["Subscriptions.take", fails],
    ["Subscriptions.take", loses],
    ["Subscriptions.advance", fails],
    ["Subscriptions.advance", loses],
    ["Subscriptions.advance", dies],
    ["Leases.acquire", fails],
    ["Leases.acquire", dies]
  ] as const)("E9: goes on after %s went wrong three times", ([point, reaction]) =>
    Effect.gen(function* () {
      yield* delivering("one", { [point]: times(3, reaction) })
      yield* seconds(60)
      yield* apps(5)
      yield* seconds(60)
      expect(yield* firsts).toStrictEqual(yield* happened)
    }).pipe(Effect.provide(ports))
  )
})
