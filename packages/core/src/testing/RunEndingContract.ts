// How a Run ends: once, as was decided first, torn down before, and with whatever is left of it known until nothing is. A part
// of the RunStore's contract.
import { DateTime, Duration, Effect, Redacted } from "effect"
import { Fence } from "../domain/Lease.ts"
import type { RunId } from "../domain/Run.ts"
import { withoutSecrets } from "../domain/Topology.ts"
import type { AppStore } from "../port/AppStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import type { JobStore } from "../port/JobStore.ts"
import type { RunOutcome } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import * as Runs from "./RunFixture.ts"

/** The ports that the laws of Runs need. */
export type RunPorts = AppStore | EventFeed | JobStore | RunStore

const { names } = Runs

/** The laws of how Runs end. */
export const runEndingLaws: Contract<RunPorts> = [
  law(
    "H41",
    "a Run runs, is torn down and ends in this order: not before it is torn down, nor before it is decided how",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      const { id } = claim.run
      const status = Effect.map(runs.get(id), (run) => run.status)
      yield* refused("LeaseLost", runs.finish(claim, "done"))
      yield* runs.running(claim)
      const { startedAt } = yield* runs.get(id)
      yield* holds("a time at which it ran", startedAt !== null)
      yield* runs.running(claim)
      yield* equal("when it ran", (yield* runs.get(id)).startedAt, startedAt)
      yield* runs.settle(claim, Runs.passed)
      yield* refused("LeaseLost", runs.finish(claim, "done"))
      yield* equal("how it stands", yield* status, "running")
      yield* runs.tearDown(claim)
      yield* runs.tearDown(claim)
      yield* runs.running(claim)
      yield* equal("how it stands", yield* status, "teardown")
      yield* runs.record(claim, { nodes: [Runs.ready(names.web)] })
      const run = yield* runs.finish(claim, "done")
      yield* equal("how it ended", Runs.standing(run), ["succeeded", "pass", null, "done", false])
      yield* equal(
        "its nodes",
        run.nodes.map((node) => node.status),
        ["gone", "gone"]
      )
      yield* holds("a time at which it ended", run.finishedAt !== null)
      yield* equal("the Run that is read", yield* runs.get(id), run)
      yield* Runs.isLost(claim)
    })
  ),

  law(
    "H41",
    "a Run that fails before it runs is torn down, and ends only once it is decided how",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      yield* runs.tearDown(claim)
      yield* equal("what is left of it", (yield* runs.get(claim.run.id)).cleanup, "pending")
      yield* refused("LeaseLost", runs.finish(claim, "done"))
      yield* runs.settle(claim, Runs.failed)
      const run = yield* runs.finish(claim, "done")
      yield* equal("how it ended", [run.status, run.error, run.startedAt], ["failed", Runs.failed.error, null])
    })
  ),

  law(
    "H39",
    "it is decided once how a Run ends, by the first who says so, and that is told from then on",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      yield* runs.running(claim)
      const settled = yield* runs.settle(claim, { ...Runs.passed, verdict: "inconclusive" })
      yield* equal("how it stands", Runs.standing(settled), ["running", "inconclusive", null, "none", false])
      yield* equal("what a second one is told", yield* runs.settle(claim, Runs.failed), settled)
      yield* equal("the Run that is read", yield* runs.get(claim.run.id), settled)
      yield* runs.tearDown(claim)
      yield* runs.settle(claim, Runs.failed)
      const run = yield* runs.finish(claim, "done")
      yield* equal("how it ended", Runs.standing(run), ["succeeded", "inconclusive", null, "done", false])
    })
  ),

  law(
    "H40",
    "a Run of which it is decided that it was cancelled, or that its server was lost, is kept no longer, whoever ends it",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const outcomes: ReadonlyArray<RunOutcome> = [{ ...Runs.passed, status: "cancelled" }, Runs.lost]
      for (const outcome of outcomes) {
        const claim = yield* Runs.begun()
        yield* runs.keep(claim.run.id, DateTime.addDuration(yield* DateTime.now, Duration.hours(5)))
        const settled = yield* runs.settle(claim, outcome)
        yield* equal("until when it is kept", settled.keepUntil, null)
        yield* equal("what a second one is told", yield* runs.settle(claim, Runs.failed), settled)
        yield* equal("how it stands then", (yield* runs.tearDown(claim, settled)).status, "teardown")
      }
    })
  ),

  law(
    "B30",
    "a Run that is asked to end is cancelled whatever its holder says after that, and who takes it is told",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const outcomes: ReadonlyArray<RunOutcome> = [Runs.passed, Runs.failed]
      for (const outcome of outcomes) {
        const claim = yield* Runs.begun()
        const { id } = claim.run
        yield* equal("whether it is asked", yield* runs.stopRequested(id), false)
        const asked = yield* runs.requestCancel(id)
        yield* equal("how it stands", Runs.standing(asked), ["provisioning", null, null, "none", true])
        yield* equal("what a second one is told", yield* runs.requestCancel(id), asked)
        yield* equal("whether it is asked", yield* runs.stopRequested(id), true)
        const taken = yield* present("the Run", yield* Runs.taken(claim))
        yield* equal("who takes it", taken.run.cancelling, true)
        const run = yield* Runs.ended(taken, "done", outcome)
        yield* equal("how it ended", Runs.standing(run), ["cancelled", outcome.verdict, null, "done", false])
        yield* equal("whether it is asked", yield* runs.stopRequested(id), false)
        yield* equal("what is told after its end", yield* runs.requestCancel(id), run)
        yield* equal("the Run that is read", yield* runs.get(id), run)
      }
      yield* refused("RunNotFound", runs.requestCancel(yield* Runs.freshRun))
      yield* equal("whether it is asked", yield* runs.stopRequested(yield* Runs.freshRun), false)
    })
  ),

  law(
    "B30",
    "a Run that is asked to end once it is decided how ends so, and is told that it was asked",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      yield* runs.settle(claim, Runs.failed)
      yield* runs.requestCancel(claim.run.id)
      yield* equal("whether it is asked", yield* runs.stopRequested(claim.run.id), true)
      const run = yield* Runs.ended(claim)
      yield* equal("how it ended", Runs.standing(run), ["failed", null, "start_failed", "done", false])
      yield* equal("how it stands", (yield* refused("RunEnded", runs.requestCancel(run.id))).status, "failed")
    })
  ),

  law(
    "H31",
    "of several who end a Run one does, and of several who take it none that is older than another",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      const next = (by: number) => Fence.make(claim.fence + by)
      yield* together([3, 1, 2].map((by) => runs.take(claim.job, next(by))))
      yield* refused("LeaseLost", runs.take(claim.job, next(2)))
      const taken = yield* present("the Run", yield* runs.take(claim.job, next(3)))
      yield* Runs.tornDown(taken)
      const answers = yield* together(Array.from({ length: 4 }, () => runs.finish(taken, "done")))
      yield* equal("how many ended it", answers.filter(({ _tag }) => _tag === "Success").length, 1)
    })
  ),

  law(
    "H38",
    "a Run of which something is left says so after its end, in nobody's way, until somebody says that nothing is",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const id = yield* Runs.freshRun
      const [a, b] = [yield* Runs.begun(), yield* Runs.begun({ id, network: Runs.networkOf(id) })]
      yield* runs.record(b, { nodes: [Runs.ready(names.web)] })
      yield* runs.cleaned(id)
      yield* equal("what is left before the end", (yield* runs.get(id)).cleanup, "pending")
      const ended = yield* Runs.ended(b, "pending")
      yield* equal(
        "its nodes",
        ended.nodes.map(({ status }) => status),
        ["ready", "pending"]
      )
      yield* Runs.ended(a, "pending", Runs.failed)
      const clean = yield* Runs.ended(yield* Runs.begun())
      const going = yield* Runs.begun({ network: Runs.networkOf(id) })
      const mine = [a, b].map(({ run }) => run.id).concat(clean.id, going.run.id)
      const left = Effect.map(runs.uncleaned(10_000), (all) => all.filter(({ run }) => mine.includes(run)))
      const { target, tenant } = b.run
      const all = yield* left
      const of = (run: RunId) => all.filter((each) => each.run === run)
      yield* equal("the one", of(id), [{ run: id, tenant, target, network: Runs.claimedNetwork(id) }])
      yield* equal("the other", [of(a.run.id)[0]?.network, all.length], [null, 2])
      const one = runs.uncleaned(1)
      yield* equal("how many are answered", (yield* one).length, 1)
      for (const run of [id, a.run.id]) {
        yield* holds(
          `that ${run === id ? "the one" : "the other"} is tried, whatever becomes of all others`,
          (yield* Effect.repeat(one, { times: 400, until: ([next]) => next?.run === run }))[0]?.run === run
        )
      }
      yield* runs.cleaned(id)
      const cleaned = yield* runs.get(id)
      yield* equal("what is left", [cleaned.cleanup, cleaned.status], ["done", "succeeded"])
      yield* equal(
        "its nodes",
        cleaned.nodes.map(({ status }) => status),
        ["gone", "gone"]
      )
      yield* runs.cleaned(id)
      yield* runs.cleaned(yield* Runs.freshRun)
      yield* equal("the Run that is read", yield* runs.get(id), cleaned)
      yield* equal(
        "what is left",
        (yield* left).map(({ run }) => run),
        [a.run.id]
      )
      yield* runs.cleaned(a.run.id)
    })
  ),

  law(
    "H17",
    "the secrets of a Run are gone with its end, whatever is left of it",
    Effect.gen(function* () {
      const runs = yield* RunStore
      for (const cleanup of ["pending", "done"] as const) {
        const claim = yield* Runs.begun()
        yield* runs.record(claim, { credentials: new Map([[names.db, Redacted.make("canary")]]) })
        yield* Runs.ended(claim, cleanup)
        const taken = yield* present("the Run", yield* Runs.taken(claim))
        yield* equal("its Topology", taken.topology, withoutSecrets(Runs.topology))
        yield* equal("its Credentials", taken.credentials.size, 0)
        yield* runs.cleaned(claim.run.id)
      }
    })
  ),

  law(
    "X12",
    "every change of a Run's status is one Event, in the order in which they happened",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const tenant = yield* Given.freshTenant
      const [a, b] = [yield* Runs.begun({ tenant }), yield* Runs.begun({ tenant })]
      yield* runs.running(a)
      yield* runs.running(a)
      yield* runs.requestCancel(b.run.id)
      yield* runs.tearDown(b)
      yield* runs.running(b)
      yield* Runs.ended(a, "pending")
      yield* runs.cleaned(a.run.id)
      yield* Runs.ended(b)
      yield* refused("LeaseLost", runs.finish(b, "done"))
      const told = (yield* Given.eventsOf(tenant)).filter(({ type }) => type.startsWith("run."))
      const of = (subject: string) => told.filter((event) => event.subject === subject).map(({ type }) => type)
      yield* equal("of the first", of(a.run.id), ["run.provisioning", "run.running", "run.teardown", "run.succeeded"])
      yield* equal("of the second", of(b.run.id), ["run.provisioning", "run.teardown", "run.cancelled"])
      yield* equal("whose they are", new Set(told.map((event) => event.app)), new Set([null]))
    })
  )
]
