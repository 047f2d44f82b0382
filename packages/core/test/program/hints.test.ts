// What programs do at a Hint, and that they do the same without one, a little later. No time passes where a Hint is given.
import { describe, expect, it } from "@effect/vitest"
import { Context, DateTime, Effect, Exit, type Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ReplicaId } from "../../src/domain/Lease.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import type { EnvStore } from "../../src/port/EnvStore.ts"
import { hinted } from "../../src/port/hinted.ts"
import { Hints, type HintTopic } from "../../src/port/Hints.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { RunStore } from "../../src/port/RunStore.ts"
import { cancel } from "../../src/program/cancel.ts"
import { deploy } from "../../src/program/deploy.ts"
import {
  asked,
  begun,
  freshImage,
  freshTenant,
  longTerms,
  registered,
  registeredTogether,
  revised
} from "../../src/testing/Fixture.ts"
import * as Jobs from "../../src/testing/JobFixture.ts"
import * as Runs from "../../src/testing/RunFixture.ts"
import { fails, hangs } from "../../src/testing/Reaction.ts"
import { driven, newest } from "./invariants.ts"
import { hintedWorld, startReplica, world } from "./scripted.ts"

/** Lets everything go on that waits for no time. */
const settled = Effect.repeat(Effect.yieldNow, { times: 500 })

/** What a program has come to when everything went on that waits for no time. */
const endNow = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.andThen(
    settled,
    Effect.sync(() => {
      const exit = fiber.pollUnsafe()
      return exit === undefined ? "it goes on" : Exit.isSuccess(exit) ? exit.value : "it failed"
    })
  )

/** A Deployment that one replica carries out and that hangs until somebody stops it. */
const hanging = Effect.gen(function* () {
  const app = yield* registered()
  const one = yield* startReplica("one")
  one.script.reactions.set("HealthProbe.probe#1", hangs)
  const deploying = yield* Effect.forkDetach(one.run(deploy(asked(app))))
  yield* TestClock.adjust("1 second")
  return { app, deploying, other: yield* startReplica("other"), ...(yield* newest(app)) }
})

describe("with hints", () => {
  it.effect("U3 X5: a cancelled deployment ends, and who cancelled it is answered, without a moment passing", () =>
    Effect.gen(function* () {
      const { deploying, deployment, other } = yield* hanging
      const cancelling = yield* Effect.forkDetach(other.run(cancel(deployment.id)))
      expect(yield* endNow(cancelling)).toMatchObject({ status: "cancelled" })
      expect(yield* endNow(deploying)).toMatchObject({ status: "cancelled" })
    }).pipe(Effect.provide(hintedWorld))
  )

  it.effect("X5 U8: a superseded deployment ends and the newer one is carried out without a moment passing", () =>
    Effect.gen(function* () {
      const { app, deploying, other } = yield* hanging
      const newer = yield* Effect.forkDetach(other.run(deploy({ ...asked(app), policy: "supersede" })))
      expect(yield* endNow(newer)).toMatchObject({ status: "healthy" })
      expect(yield* endNow(deploying)).toMatchObject({ status: "superseded" })
    }).pipe(Effect.provide(hintedWorld))
  )

  it.effect("INV-1: who waits for a slot has it as soon as one is free", () =>
    Effect.gen(function* () {
      const [a, b, c, waits] = yield* registeredTogether(4)
      const one = yield* startReplica("one")
      one.script.reactions.set("HealthProbe.probe#1", hangs)
      one.script.reactions.set("HealthProbe.probe#2", hangs)
      one.script.reactions.set("HealthProbe.probe#3", hangs)
      if (a === undefined || b === undefined || c === undefined || waits === undefined) return expect.fail("four apps")
      for (const app of [a, b, c]) yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* settled
      const other = yield* startReplica("other")
      const waiting = yield* Effect.forkDetach(other.run(deploy(asked(waits))))
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 9 })
      expect(yield* endNow(waiting)).toBe("it goes on")
      yield* Effect.forkDetach(other.run(cancel((yield* newest(a)).deployment.id)))
      expect(yield* endNow(waiting)).toMatchObject({ status: "healthy" })
    }).pipe(Effect.provide(hintedWorld))
  )
})

describe("without hints", () => {
  it.effect("U3 X5 U8: the same happens a little later, by polling alone", () =>
    Effect.gen(function* () {
      const { app, deploying, other } = yield* hanging
      const newer = yield* Effect.forkDetach(other.run(deploy({ ...asked(app), policy: "supersede" })))
      expect(yield* endNow(newer)).toBe("it goes on")
      expect(yield* Effect.flatten(driven(newer, 5))).toMatchObject({ status: "healthy" })
      expect(yield* endNow(deploying)).toMatchObject({ status: "superseded" })
    }).pipe(Effect.provide(world))
  )
})

describe("the stores", () => {
  it.effect("give hints after what others may wait for, and none when they fail or find nothing", () =>
    Effect.gen(function* () {
      const given: Array<HintTopic> = []
      const hints = Hints.of({
        give: (topic) => Effect.sync(() => void given.push(topic)),
        listen: () => Effect.succeed(() => Effect.void)
      })
      const { context, script } = yield* startReplica("one")
      const ports = hinted(Context.add(Context.add(context, Hints, hints), RunStore, yield* RunStore))
      const hintsOf = <A, E>(call: Effect.Effect<A, E, AppStore | DeploymentStore | EnvStore | JobStore | RunStore>) =>
        Effect.map(Effect.result(Effect.provideContext(call, ports)), () => given.splice(0).sort().join(" "))
      const apps = Context.get(ports, AppStore)
      const store = Context.get(ports, DeploymentStore)
      const terms = { replica: ReplicaId.make("one"), terms: longTerms }

      const [app, due] = [yield* registered(), yield* registered({ expiresAt: DateTime.makeUnsafe(0) })]
      expect(yield* hintsOf(registered())).toBe("events")
      expect(yield* hintsOf(revised(app, { KEY: "1" }))).toBe("events")
      expect(yield* hintsOf(store.admit(terms))).toBe("")
      expect(yield* hintsOf(begun(app))).toBe("deployments events stops")
      expect(yield* hintsOf(store.withdraw((yield* newest(app)).deployment.id))).toBe("deployments events jobs")
      yield* hintsOf(begun(app))
      expect(yield* hintsOf(store.get((yield* newest(app)).deployment.id))).toBe("")
      const claim = (yield* store.admit(terms)) ?? expect.fail("a claim")
      expect(given.splice(0)).toStrictEqual(["events"])
      expect(yield* hintsOf(store.renew(claim, longTerms))).toBe("")
      expect(yield* hintsOf(store.built(claim, yield* freshImage, null))).toBe("events")
      expect(yield* hintsOf(store.requestCancel(claim.deployment.id))).toBe("deployments events jobs stops")
      script.reactions.set("DeploymentStore.finish#1", fails)
      expect(yield* hintsOf(store.finish(claim, { status: "cancelled" }))).toBe("")
      expect(yield* hintsOf(store.finish(claim, { status: "cancelled" }))).toBe("apps deployments events jobs")

      expect(yield* hintsOf(apps.setExpiry(app.id, null))).toBe("apps")
      expect(yield* hintsOf(apps.claimExpired(10))).toBe("deployments events jobs stops")
      expect(yield* hintsOf(apps.claimExpired(10))).toBe("")
      expect(yield* hintsOf(apps.mark(due.id, "deleting"))).toBe("apps deployments events jobs stops")
      const [ending] = yield* apps.ending(10)
      if (ending === undefined) return expect.fail("an app that ends")
      expect(yield* hintsOf(apps.settle(ending))).toBe("events")
      expect(yield* hintsOf(apps.settle(ending))).toBe("")

      const jobs = Context.get(ports, JobStore)
      const { app: serving } = yield* Jobs.released()
      const ofApp = { app: serving.id }
      const begin = Effect.flatMap(Jobs.requested(ofApp, "queue"), jobs.begin)
      yield* hintsOf(store.setCap(serving.tenant, 1))
      const { claim: mine } = yield* begin
      if (mine === undefined) return expect.fail("a claim")
      expect(given.splice(0).join()).toBe("events")
      expect(yield* hintsOf(begin)).toBe("events jobs")
      expect(yield* hintsOf(jobs.admit({ replica: terms.replica, terms: longTerms }, 1))).toBe("")
      expect(yield* hintsOf(jobs.requestCancel(mine.job.id))).toBe("apps deployments events jobs stops")
      expect(yield* hintsOf(jobs.renew(mine, longTerms))).toBe("")
      expect(yield* hintsOf(jobs.finish(mine, { status: "failed", exitCode: 1 }))).toBe("apps deployments events jobs")
      expect(yield* hintsOf(jobs.rerun(mine.job.id, { replica: terms.replica, terms: longTerms }))).toBe("events jobs")
      const [next = expect.fail("a claim")] = yield* jobs.admit({ replica: terms.replica, terms: longTerms }, 1)
      expect(given.splice(0).join()).toBe("events")
      expect(yield* hintsOf(jobs.giveBack(next))).toBe("apps deployments events jobs")

      const runs = Context.get(ports, RunStore)
      const request = yield* Runs.requested(yield* Jobs.running({ tenant: yield* freshTenant }))
      expect(yield* hintsOf(runs.create(request))).toBe("events")
      const run = yield* runs.create(request)
      given.splice(0)
      expect(yield* hintsOf(runs.running(run))).toBe("events")
      expect(yield* hintsOf(runs.keep(request.id, yield* DateTime.now))).toBe("stops")
      expect(yield* hintsOf(runs.requestCancel(request.id))).toBe("stops")
      expect(yield* hintsOf(runs.settle(run, Runs.passed))).toBe("")
      expect(yield* hintsOf(runs.tearDown(run))).toBe("events")
      expect(yield* hintsOf(runs.finish(run, "done"))).toBe("events")
      expect(yield* hintsOf(runs.requestCancel(request.id))).toBe("")
    }).pipe(Effect.provide(world))
  )
})
