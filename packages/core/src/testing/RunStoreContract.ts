// What a RunStore keeps: who carries a Run out and under which Fence, how far it has come, and what it takes to remove it.
// How it ends is in RunEndingContract.ts.
import { DateTime, Duration, Effect, Redacted } from "effect"
import { Fence } from "../domain/Lease.ts"
import type { Plan } from "../domain/Plan.ts"
import { pendingNodes } from "../domain/Run.ts"
import { withoutSecrets } from "../domain/Topology.ts"
import type { RunClaim } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import { JobStore } from "../port/JobStore.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import * as Jobs from "./JobFixture.ts"
import { runEndingLaws, type RunPorts } from "./RunEndingContract.ts"
import * as Runs from "./RunFixture.ts"

const { names } = Runs

const plan: Plan = { nodes: [], steps: [], thresholds: [] }

const shown = (secrets: ReadonlyMap<string, Redacted.Redacted<string>>) =>
  Object.fromEntries([...secrets].map(([name, secret]) => [name, Redacted.value(secret)]))

/** The laws of {@link RunStore}. */
export const RunStoreContract: Contract<RunPorts> = [
  law(
    "H29",
    "a Run is made as it was declared, and who takes it knows all that was recorded of it and that it takes to remove it",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const [id, tenant] = [yield* Runs.freshRun, yield* Given.freshTenant]
      const claim = yield* Runs.begun({ id, tenant, network: Runs.networkOf(id) })
      const { name, network, nodes, startedAt, status, steps, target, ...run } = claim.run
      yield* equal("whose it is", [run.id, run.tenant, name, target], [id, tenant, "smoke", "contract"])
      yield* equal("how it stands", [status, run.cleanup, run.cancelling], ["provisioning", "pending", false])
      yield* equal(
        "what is not yet",
        [run.verdict, run.error, run.keepUntil, startedAt, run.finishedAt],
        Array(5).fill(null)
      )
      yield* equal("its block", network, { cidr: Runs.cidr })
      yield* equal("its nodes", nodes, pendingNodes(Runs.topology))
      yield* equal("its steps", steps, [])
      yield* equal("the Run that is read", yield* runs.get(id), claim.run)
      const credentials = new Map([[names.db, Redacted.make("canary")]])
      yield* runs.record(claim, { plan, credentials })
      const taken = yield* present("the Run", yield* Runs.taken(claim))
      yield* equal("its block", [claim.network, taken.network], Array(2).fill(Runs.claimedNetwork(id)))
      yield* equal(
        "whose it is then",
        [taken.run.id, taken.job, taken.fence],
        [id, claim.job, Fence.make(claim.fence + 1)]
      )
      yield* equal("its Plan", [claim.plan, taken.plan], [null, plan])
      yield* equal(
        "its Credentials",
        [claim, taken].map((each) => shown(each.credentials)),
        [{}, { db: "canary" }]
      )
      yield* equal("its Topology", withoutSecrets(taken.topology), withoutSecrets(Runs.topology))
      const [web, db] = taken.topology.nodes
      const deployKey = db?.source?.type === "git" ? db.source.deployKey : undefined
      const [of] = Runs.topology.nodes.flatMap(({ source }) => (source?.type === "git" ? (source.deployKey ?? []) : []))
      yield* holds("its variables", web?.env?.["TOKEN"] !== undefined && Redacted.value(web.env["TOKEN"]) === "canary")
      yield* holds(
        "its keys",
        deployKey !== undefined && of !== undefined && Redacted.value(deployKey) === Redacted.value(of)
      )
    })
  ),

  law(
    "H12",
    "a Run that is made again under the Fence that it is held under is the same one, and a Job has no second one",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const [held, other] = [
        yield* Jobs.running({ tenant: yield* Given.freshTenant }),
        yield* Jobs.running({ tenant: yield* Given.freshTenant })
      ]
      const request = yield* Runs.requested(held)
      const answers = yield* together([runs.create(request), runs.create(request), runs.create(request)])
      const ids = answers.map((answer) => (answer._tag === "Success" ? answer.success.run : answer.failure))
      yield* equal("what each is answered", ids, Array(3).fill(yield* runs.get(request.id)))
      const claim = yield* runs.create(request)
      yield* runs.running(claim)
      yield* equal("how it stands when it is made again", (yield* runs.create(request)).run.status, "running")
      yield* refused("LeaseLost", runs.create({ ...request, id: yield* Runs.freshRun }))
      yield* refused("LeaseLost", runs.create({ ...request, job: other.job.id, fence: other.fence }))
      yield* equal("what Runs there are", (yield* runs.list({ tenant: request.tenant }, { limit: 9 })).items.length, 1)
      yield* Runs.taken(claim)
      yield* refused("LeaseLost", runs.create(request))
    })
  ),

  law(
    "INV-1",
    "no Run is made by who does not hold its Job: under an old Fence, after its end, or without one",
    Effect.gen(function* () {
      const [jobs, runs] = [yield* JobStore, yield* RunStore]
      const held = yield* Jobs.running({ tenant: yield* Given.freshTenant })
      const request = yield* Runs.requested(held)
      const taken = yield* Jobs.takenOver(held)
      yield* refused("LeaseLost", runs.create(request))
      yield* jobs.finish(taken, { status: "failed", exitCode: null })
      yield* refused("LeaseLost", runs.create({ ...request, fence: taken.fence }))
      yield* refused("LeaseLost", runs.create({ ...request, job: yield* Jobs.unknownJob }))
      yield* refused("RunNotFound", runs.get(request.id))
      yield* equal("what is taken of its Job", yield* runs.take(held.job.id, taken.fence), undefined)
    })
  ),

  law(
    "H31",
    "a Run that was taken by a newer holder is changed by that one alone, and is taken by no older one",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      yield* Runs.tornDown(claim)
      const taken = yield* present("the Run", yield* Runs.taken(claim))
      yield* Runs.isLost(claim)
      yield* refused("LeaseLost", runs.take(claim.job, claim.fence))
      yield* equal("who takes it again", (yield* runs.take(claim.job, taken.fence))?.fence, taken.fence)
      yield* equal("how it ends", (yield* runs.finish(taken, "done")).status, "succeeded")
      yield* equal("how it is taken then", (yield* Runs.taken(taken))?.run.status, "succeeded")
    })
  ),

  law(
    "H37",
    "from the first thing that is recorded on something may be left; what is recorded replaces what was, by name",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      const { id } = claim.run
      yield* equal("what is left of it", (yield* runs.get(id)).cleanup, "none")
      yield* runs.record(claim, { plan })
      yield* equal("what is left of it", (yield* runs.get(id)).cleanup, "pending")
      yield* runs.record(claim, { nodes: [Runs.ready(names.db)], steps: [Runs.step(names.check)] })
      yield* runs.record(claim, { steps: [Runs.step(names.load)] })
      const { nodes, steps } = yield* runs.get(id)
      const [web] = pendingNodes(Runs.topology)
      yield* equal("its nodes", nodes, [yield* present("a node", web), Runs.ready(names.db)])
      yield* equal("its steps", steps, [Runs.step(names.load), Runs.step(names.check)])
      const changed = { ...Runs.step(names.load), exitCode: 3 }
      yield* runs.record(claim, { nodes: [{ ...Runs.ready(names.db), status: "failed" }], steps: [changed] })
      const last = yield* runs.get(id)
      yield* equal(
        "its nodes",
        last.nodes.map(({ status }) => status),
        ["pending", "failed"]
      )
      yield* equal("its steps", last.steps, [changed, Runs.step(names.check)])
      yield* equal("its Plan", (yield* Runs.taken(claim))?.plan, plan)
    })
  ),

  law(
    "H37",
    "whatever bears an id of no Run that is in progress is nobody's",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claims = yield* Effect.replicateEffect(Runs.begun(), 4)
      const unknown = yield* Runs.freshRun
      const [begun, torn, pending, done] = claims
      if (torn !== undefined) yield* Runs.tornDown(torn)
      if (pending !== undefined) yield* Runs.ended(pending, "pending")
      if (done !== undefined) yield* Runs.ended(done)
      const ids = [unknown, ...claims.map(({ run }) => run.id)]
      const left = [unknown, pending?.run.id, done?.run.id]
      yield* equal(
        "whose are nobody's",
        yield* runs.unowned(ids),
        left.flatMap((id) => id ?? [])
      )
      yield* equal(
        "of those that somebody has",
        yield* runs.unowned([begun, torn].flatMap((claim) => claim?.run.id ?? [])),
        []
      )
      yield* equal("of none", yield* runs.unowned([]), [])
    })
  ),

  law(
    "H40",
    "a Run says until when it is kept: as it was declared, as is said later, until it is torn down",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const now = yield* DateTime.now
      const [soon, later] = [
        DateTime.addDuration(now, Duration.minutes(5)),
        DateTime.addDuration(now, Duration.hours(5))
      ]
      const claim = yield* Runs.begun({ keepUntil: soon })
      const { id } = claim.run
      yield* equal("until when it is kept", claim.run.keepUntil, soon)
      yield* equal("until when it is kept", (yield* runs.keep(id, later)).keepUntil, later)
      yield* runs.running(claim)
      yield* runs.settle(claim, Runs.passed)
      yield* equal("who takes it then", (yield* Runs.taken(claim))?.run.keepUntil, later)
      const taken = yield* present("the Run", yield* runs.take(claim.job, Fence.make(claim.fence + 1)))
      yield* equal("until when it is kept", (yield* runs.keep(id, now)).keepUntil, now)
      yield* runs.tearDown(taken)
      yield* equal("until when it is kept", (yield* runs.get(id)).keepUntil, null)
      yield* equal("how it stands", (yield* refused("RunEnded", runs.keep(id, later))).status, "teardown")
      yield* runs.finish(taken, "done")
      yield* equal("how it stands", (yield* refused("RunEnded", runs.keep(id, later))).status, "succeeded")
      yield* equal("until when it is kept", (yield* runs.get(id)).keepUntil, null)
      yield* refused("RunNotFound", runs.keep(yield* Runs.freshRun, later))
    })
  ),

  law(
    "H40",
    "a Run that is kept until another time than its holder has seen is not torn down, nor kept once it is",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const later = DateTime.addDuration(yield* DateTime.now, Duration.hours(5))
      const claim = yield* Runs.begun()
      const { id } = claim.run
      yield* runs.running(claim)
      const settled = yield* runs.settle(claim, Runs.passed)
      const kept = yield* runs.keep(id, later)
      yield* equal("how it stands when it is to be torn down", yield* runs.tearDown(claim, settled), kept)
      yield* equal("the Run that is read", yield* runs.get(id), kept)
      const both: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        runs.keep(id, DateTime.addDuration(later, Duration.hours(1))),
        runs.tearDown(claim, kept)
      ]
      const [keeping, tearing] = yield* together(both)
      const { keepUntil, status } = yield* runs.get(id)
      yield* equal(
        "whether it is kept, or torn down",
        [keepUntil !== null, status],
        keeping?._tag === "Success" ? [true, "running"] : [false, "teardown"]
      )
      yield* equal("that its holder is answered", tearing?._tag, "Success")
      const torn = yield* runs.tearDown(claim, { keepUntil })
      yield* equal("how it stands then", [torn.status, torn.keepUntil, torn.cleanup], ["teardown", null, "pending"])
      yield* equal("how it stands when that is repeated", yield* runs.tearDown(claim, kept), torn)
    })
  ),

  law(
    "H40",
    "a Run that will not be kept is not: somebody asked for its end, or for that of its Job, or its server was lost",
    Effect.gen(function* () {
      const [jobs, runs] = [yield* JobStore, yield* RunStore]
      const later = DateTime.addDuration(yield* DateTime.now, Duration.hours(5))
      const reasons: Readonly<Record<string, (claim: RunClaim) => Effect.Effect<unknown, unknown>>> = {
        "that is asked to end": ({ run }) => runs.requestCancel(run.id),
        "whose Job is asked to end": ({ job }) => jobs.requestCancel(job),
        "that is to end as cancelled": (claim) => runs.settle(claim, { ...Runs.passed, status: "cancelled" }),
        "that is lost": (claim) => runs.settle(claim, Runs.lost)
      }
      for (const [which, reason] of Object.entries(reasons)) {
        const claim = yield* Runs.begun()
        yield* reason(claim).pipe(Effect.orDie)
        const { status } = yield* refused("RunEnded", runs.keep(claim.run.id, later))
        const { keepUntil } = yield* runs.get(claim.run.id)
        yield* equal(`how the Run stands ${which}`, [status, keepUntil], ["provisioning", null])
      }
    })
  ),

  law(
    "RunStore-1",
    "Runs are listed newest first, page by page, by Tenant and status",
    Effect.gen(function* () {
      const runs = yield* RunStore
      const tenant = yield* Given.freshTenant
      const [a, b, c] = [yield* Runs.begun({ tenant }), yield* Runs.begun({ tenant }), yield* Runs.begun({ tenant })]
      const other = yield* Runs.begun()
      yield* Runs.ended(a)
      const ids = (filter: Parameters<typeof runs.list>[0]) =>
        Effect.map(
          Given.allPages(2, (page) => runs.list(filter, page)),
          (pages) => pages.flatMap(({ items }) => items.map(({ id }) => id))
        )
      yield* equal("all of the Tenant", yield* ids({ tenant }), [c.run.id, b.run.id, a.run.id])
      yield* equal("those that have ended", yield* ids({ tenant, status: "succeeded" }), [a.run.id])
      yield* equal("the first of all", (yield* runs.list({ status: "provisioning" }, { limit: 1 })).items[0], other.run)
    })
  ),

  ...runEndingLaws
]
