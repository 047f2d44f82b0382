// The models: each is the rules of an invariant and random asks that touch it. An ask is as likely as it is often listed.

import type { AppStatus } from "@lockkeeper/core/domain/App"
import * as fc from "fast-check"
import * as Asks from "./asks.ts"
import type { Rule } from "./Rule.ts"
import { activity as activityRule } from "./rules/activity.ts"
import { envs as envsRule } from "./rules/envs.ts"
import { events as eventsRule, eventsBySubject } from "./rules/events.ts"
import * as Jobs from "./jobAsks.ts"
import { holding as holdingRule } from "./rules/holding.ts"
import { jobs as jobsRule } from "./rules/jobs.ts"
import { liveness as livenessRule } from "./rules/liveness.ts"
import { ownership as ownershipRule } from "./rules/ownership.ts"
import { releases as releasesRule } from "./rules/releases.ts"
import { slots as slotsRule } from "./rules/slots.ts"
import { stops as stopsRule } from "./rules/stops.ts"

/** Rules, and what may be asked to try them. */
export interface Model {
  readonly rules: ReadonlyArray<Rule>
  readonly asks: ReadonlyArray<fc.Arbitrary<Asks.Ask>>
}

const app = fc.nat(5)
const recent = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) })
const replica = fc.nat(2)
const delivery = fc.option(fc.constantFrom("delivery-1", "delivery-2"), { nil: undefined })
const outcome = fc.constantFrom(...(["healthy", "healthy", "failed", "cancelled"] as const))
const entries = fc.dictionary(
  fc.constantFrom("A", "B", "C", "TOSTRING", "__PROTO__"),
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("1", "2", "\u{1F512}", "", null) },
    { weight: 1, arbitrary: fc.constant(30_000) }
  ),
  { maxKeys: 3 }
)
const expectedRevision = fc.option(fc.nat(3), { nil: undefined, freq: 2 })
const statuses: ReadonlyArray<AppStatus> = ["live", "live", "stopped", "expired", "deleting", "deleted"]

const policy = fc.option(fc.constantFrom(...(["reject", "queue", "supersede"] as const)), { nil: undefined })
const release = fc.oneof(fc.constant("current" as const), fc.nat(2))

const beginAs = (how: fc.Arbitrary<Asks.How>) => fc.tuple(app, how).map((args) => Asks.begin(...args))
const begin = beginAs(fc.record({ delivery, policy }))
const beginAgain = beginAs(fc.record({ policy, release }))
const start = beginAs(fc.constantFrom<Asks.How>({ start: true }, { start: true, release: "current" }))
const cancel = recent.map((of) => Asks.cancel(of))
const stop = app.map((of) => Asks.mark(of, "stopped"))
const remove = app.map((of) => Asks.mark(of, "deleting"))
const setExpiry = fc.tuple(app, fc.boolean()).map((args) => Asks.setExpiry(...args))
const claimExpired = fc.constant(Asks.claimExpired)
const settle = app.map((of) => Asks.settle(of))
const admitAny = replica.map(Asks.admitAny)
const admit = fc.tuple(recent, replica).map((args) => Asks.admit(...args))
const withdraw = recent.map((of) => Asks.withdraw(of))
const renew = recent.map((of) => Asks.renew(of))
const build = fc.tuple(recent, fc.nat(2)).map((args) => Asks.build(...args))
const activate = recent.map((of) => Asks.activate(of))
const finish = fc.tuple(recent, outcome).map((args) => Asks.finish(...args))
const takeOver = fc.tuple(replica, fc.constantFrom(1, 10_000)).map((args) => Asks.takeOver(...args))
const abandon = recent.map((of) => Asks.abandon(of))
const lapse = recent.map((of) => Asks.lapse(of))
const setStatus = fc.tuple(app, fc.constantFrom(...statuses)).map((args) => Asks.setStatus(...args))
const mergeAny = fc.tuple(app, entries, expectedRevision).map((args) => Asks.merge(...args))
const merge = app.map((of) => Asks.merge(of, { A: "1" }))
const intend = fc.tuple(recent, fc.option(fc.nat(3), { nil: undefined })).map((args) => Asks.intend(...args))
const confirm = recent.map((of) => Asks.confirm(of))
const released = recent.map((of) => Asks.release(of))

/** A Deployment of an App, as far as it comes. */
export const aWalk = fc
  .tuple(app, fc.integer({ min: 1, max: 5 }))
  .map(([app, steps]) =>
    [Asks.begin(app), Asks.admitAny(0), Asks.build(0, 0), Asks.activate(0), Asks.finish(0, "healthy")].slice(0, steps)
  )

const work = [begin, admitAny, build, activate, finish]
const claims = [...work, admit, withdraw, cancel, renew, takeOver, abandon, lapse]
const appLife = [stop, start, start, remove, setExpiry, claimExpired, settle]

/** INV-1 and INV-13. */
export const holding: Model = { rules: [holdingRule], asks: [...claims, stop, start] }

/** INV-2 and U5. */
export const activity: Model = {
  rules: [activityRule],
  asks: [...work, begin, begin, beginAgain, withdraw, cancel, admit, stop, start, setStatus]
}

/** INV-3. */
export const slots: Model = {
  rules: [slotsRule],
  asks: [begin, begin, admitAny, admitAny, ...claims, stop, start]
}

const onFull = fc.constantFrom(...(["reject", "queue", "queue"] as const))
const jobEnd = fc.constantFrom(...(["succeeded", "failed", "failed", "cancelled"] as const))
const beginJob = fc.tuple(app, onFull, replica).map((args) => Jobs.begin(...args))
const rerunJob = fc.tuple(recent, replica).map((args) => Jobs.rerun(...args))
const admitAnyJob = replica.map(Jobs.admitAny)
const admitJob = fc.tuple(recent, replica).map((args) => Jobs.admit(...args))
const cancelJob = recent.map((of) => Jobs.cancel(of))
const finishJob = fc.tuple(recent, jobEnd).map((args) => Jobs.finish(...args))
const giveBackJob = recent.map((of) => Jobs.giveBack(of))
const abandonJobs = recent.map((of) => Jobs.abandon(of))
const takeOverJobs = fc.tuple(replica, fc.constantFrom(1, 10_000)).map((args) => Jobs.takeOver(...args))
const setCap = fc.tuple(app, fc.constantFrom(0, 1, 2, 3, null)).map((args) => Jobs.setCap(...args))

/** INV-1, INV-3 and K3 for Jobs, and Deployments beside them. */
export const jobs: Model = {
  rules: [jobsRule],
  asks: [
    ...work,
    cancel,
    beginJob,
    beginJob,
    beginJob,
    rerunJob,
    admitAnyJob,
    admitJob,
    cancelJob,
    finishJob,
    finishJob,
    giveBackJob,
    abandonJobs,
    takeOverJobs,
    setCap
  ]
}

/** INV-4. */
export const stops: Model = {
  rules: [stopsRule],
  asks: [...work, ...work, begin, withdraw, cancel, stop, start, takeOver, lapse]
}

/** INV-5. */
export const envs: Model = {
  rules: [envsRule],
  asks: [mergeAny, mergeAny, mergeAny, mergeAny, begin, ...appLife, setStatus]
}

/** INV-6. */
export const liveness: Model = {
  rules: [livenessRule],
  asks: [...work, ...work, beginAgain, merge, ...appLife, setStatus, setStatus]
}

/** INV-7. */
export const ownership: Model = {
  rules: [ownershipRule],
  asks: [...work, intend, intend, confirm, released, takeOver, abandon, lapse, stop, start, remove, settle, setStatus]
}

/** INV-8 and INV-9. */
export const releases: Model = {
  rules: [releasesRule],
  asks: [...work, beginAgain, build, activate, finish, merge, cancel, stop, start, setStatus]
}

/** U7 and X12: one Event for each transition, in the order of all. */
export const events: Model = { rules: [eventsRule], asks: [...claims, ...appLife, beginAgain, merge] }

const everyAsk = [...claims, ...appLife, beginAgain, mergeAny, setStatus, intend, confirm, released]

/** Everything at once, for asks that overlap: what happened to different things may be told in any order. */
export const everything: Model = {
  rules: [
    holdingRule,
    activityRule,
    slotsRule,
    stopsRule,
    envsRule,
    livenessRule,
    ownershipRule,
    releasesRule,
    eventsBySubject
  ],
  asks: everyAsk
}
