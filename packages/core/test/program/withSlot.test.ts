// A Slot around any work: whatever becomes of the work or of its process, the Slot is given back, and nobody works without one.
import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { TenantName } from "../../src/domain/Tenant.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { reap } from "../../src/program/reap.ts"
import { withSlot } from "../../src/program/withSlot.ts"
import { freshTenant } from "../../src/testing/Fixture.ts"
import { fails, hangs } from "../../src/testing/Reaction.ts"
import { type ScriptedReplica, startReplica, world } from "./scripted.ts"

/** A Tenant with one Slot. */
const narrowTenant = Effect.tap(freshTenant, (tenant) =>
  Effect.flatMap(DeploymentStore, (store) => store.setCap(tenant, 1))
)

const used = Effect.fnUntraced(function* (tenant: TenantName) {
  const { queued, running } = yield* (yield* DeploymentStore).usage(tenant)
  return { queued, running }
})

/** How the Jobs of a Tenant stand, oldest first. */
const statuses = Effect.fnUntraced(function* (tenant: TenantName) {
  const { items } = yield* (yield* JobStore).list({ tenant }, { limit: 100 })
  return items.map(({ status }) => status).toReversed()
})

const nothing = { queued: 0, running: 0 }

/** Work that says when it has begun, and never ends by itself. */
const endless = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  let wasInterrupted = false
  const work = Effect.onInterrupt(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never), () =>
    Effect.sync(() => void (wasInterrupted = true))
  )
  return { work, begun: Deferred.await(begun), wasInterrupted: () => wasInterrupted }
})

/** Begins work in the only Slot of a Tenant. */
const working = Effect.fnUntraced(function* ({ run }: ScriptedReplica, tenant: TenantName) {
  const { begun, wasInterrupted, work } = yield* endless
  const fiber = yield* Effect.forkDetach(run(withSlot({ tenant }, work)))
  yield* begun
  return { fiber, wasInterrupted }
})

describe("work in a slot", () => {
  const endings = [
    { how: "succeeds", work: Effect.succeed(7), status: "succeeded", outcome: 7 },
    { how: "fails", work: Effect.fail("a failure"), status: "failed", outcome: "a failure" },
    { how: "dies", work: Effect.die("a defect"), status: "failed", outcome: "a defect" }
  ]
  it.effect.each(endings)(
    "K1 K3: that $how gives it back, and what it came to is answered",
    ({ outcome, status, work }) =>
      Effect.gen(function* () {
        const { run } = yield* startReplica("one")
        const tenant = yield* narrowTenant
        const seen: Array<unknown> = []
        const looked = Effect.tap(used(tenant), (usage) => Effect.sync(() => seen.push(usage)))
        const came = yield* Effect.exit(run(withSlot({ tenant }, Effect.andThen(looked, work))))
        expect(Exit.isSuccess(came) ? came.value : Cause.squash(came.cause)).toBe(outcome)
        expect(seen).toStrictEqual([{ queued: 0, running: 1 }])
        expect(yield* used(tenant)).toStrictEqual(nothing)
        expect(yield* statuses(tenant)).toStrictEqual([status])
      }).pipe(Effect.provide(world))
  )

  it.effect("INV-3 K1: that is interrupted is interrupted itself, and gives it back", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const tenant = yield* narrowTenant
      const { fiber, wasInterrupted } = yield* working(replica, tenant)
      yield* Fiber.interrupt(fiber)
      expect(wasInterrupted()).toBe(true)
      expect(yield* used(tenant)).toStrictEqual(nothing)
      expect(yield* statuses(tenant)).toStrictEqual(["cancelled"])
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-3: that waits is not begun before its turn, and is when the slot is free", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const tenant = yield* narrowTenant
      const { fiber } = yield* working(replica, tenant)
      const second = yield* Effect.forkDetach(replica.run(withSlot({ tenant }, Effect.succeed("done"))))
      yield* TestClock.adjust("1 minute")
      expect(yield* used(tenant)).toStrictEqual({ queued: 1, running: 1 })
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("31 seconds")
      expect(yield* Fiber.join(second)).toBe("done")
      expect(yield* statuses(tenant)).toStrictEqual(["cancelled", "succeeded"])
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13 INV-3: that waits under a short lease is not taken for one that nobody asks for any more", () =>
    Effect.gen(function* () {
      const terms = { ttl: Duration.seconds(2), renewEvery: Duration.millis(500) }
      const [one, two] = [yield* startReplica("one", terms), yield* startReplica("two")]
      const tenant = yield* narrowTenant
      const { fiber } = yield* working(two, tenant)
      const second = yield* Effect.forkDetach(one.run(withSlot({ tenant }, Effect.succeed("done"))))
      for (let look = 0; look < 600; look++) {
        yield* TestClock.adjust("100 millis")
        yield* two.run(reap())
      }
      expect(yield* statuses(tenant)).toStrictEqual(["running", "queued"])
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(second)).toBe("done")
    }).pipe(Effect.provide(world))
  )

  it.effect("K1: that is interrupted while it waits leaves nothing that waits, and is never begun", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const tenant = yield* narrowTenant
      const { fiber } = yield* working(replica, tenant)
      const other = yield* endless
      const second = yield* Effect.forkDetach(replica.run(withSlot({ tenant }, other.work)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(second)
      expect(yield* used(tenant)).toStrictEqual({ queued: 0, running: 1 })
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("5 seconds")
      expect(other.wasInterrupted()).toBe(false)
      expect(yield* used(tenant)).toStrictEqual(nothing)
      expect(yield* statuses(tenant)).toStrictEqual(["cancelled", "cancelled"])
    }).pipe(Effect.provide(world))
  )

  it.effect("K1: is refused at once when it does not want to wait, and nothing is made", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const tenant = yield* narrowTenant
      const { fiber } = yield* working(replica, tenant)
      const refused = yield* Effect.flip(replica.run(withSlot({ tenant, onFull: "reject" }, Effect.void)))
      expect(refused).toMatchObject({ _tag: "JobRefused", reason: { _tag: "JobCapReached", limit: 1, running: 1 } })
      expect(yield* statuses(tenant)).toStrictEqual(["running"])
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: that somebody cancels while it waits fails, and does not begin", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const tenant = yield* narrowTenant
      const { fiber } = yield* working(replica, tenant)
      const second = yield* Effect.forkDetach(Effect.flip(replica.run(withSlot({ tenant }, Effect.die("it began")))))
      yield* TestClock.adjust("1 second")
      const jobs = yield* JobStore
      const [waits] = (yield* jobs.list({ tenant, status: "queued" }, { limit: 10 })).items
      yield* jobs.requestCancel(waits?.id ?? expect.fail("nothing waits"))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(second)).toMatchObject({ _tag: "SlotWithdrawn" })
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13 K1: whose process is killed keeps it until its lease ends; then the reaper gives it back", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const tenant = yield* narrowTenant
      yield* working(one, tenant)
      one.script.crashed = true
      yield* TestClock.adjust("1 second")
      yield* two.run(reap())
      expect(yield* used(tenant)).toStrictEqual({ queued: 0, running: 1 })
      yield* TestClock.adjust("20 seconds")
      yield* two.run(reap())
      expect(yield* used(tenant)).toStrictEqual(nothing)
      expect(yield* statuses(tenant)).toStrictEqual(["failed"])
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13 K1: whose process is killed while it waits does not hold up those behind it", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const tenant = yield* narrowTenant
      const { fiber } = yield* working(two, tenant)
      yield* Effect.forkDetach(one.run(withSlot({ tenant }, Effect.die("it began"))))
      yield* TestClock.adjust("1 second")
      const last = yield* Effect.forkDetach(two.run(withSlot({ tenant }, Effect.succeed("last"))))
      one.script.crashed = true
      for (let quarter = 0; quarter < 10; quarter++) yield* TestClock.adjust("15 seconds")
      yield* two.run(reap())
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("31 seconds")
      expect(yield* Fiber.join(last)).toBe("last")
      expect(yield* statuses(tenant)).toStrictEqual(["cancelled", "cancelled", "succeeded"])
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13 H22: is interrupted when its lease is lost, before anybody else can have the slot", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const tenant = yield* narrowTenant
      const { fiber, wasInterrupted } = yield* working(one, tenant)
      one.script.reactions.set("JobStore.renew", hangs)
      yield* TestClock.adjust(Duration.millis(13_000))
      expect(wasInterrupted()).toBe(false)
      yield* TestClock.adjust(Duration.millis(1_999))
      expect(wasInterrupted()).toBe(true)
      yield* two.run(reap())
      expect(yield* Effect.flip(Fiber.join(fiber))).toMatchObject({ _tag: "LeaseLost" })
      expect(yield* used(tenant)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("E9 R3: does not begin when the store fails, and nothing waits for it", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const tenant = yield* narrowTenant
      replica.script.reactions.set("JobStore.begin", fails)
      const failed = yield* Effect.flip(replica.run(withSlot({ tenant }, Effect.die("it began"))))
      expect(failed).toMatchObject({ _tag: "StoreError", reason: "unavailable" })
      expect(yield* used(tenant)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )
})
