// One run of a model: asks, has every answer judged by every rule, and looks. What is asked together is judged in every
// order; where several orders do, what follows may fit any of them.

import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Context, Effect, Schema } from "effect"
import type { Ask, Call } from "./asks.ts"
import { type Known, learned, nothingKnown } from "./Known.ts"
import type { Rule } from "./Rule.ts"
import type { ModelPorts, Seen } from "./Seen.ts"
import { Tables } from "./Tables.ts"
import { witnessed } from "./witness.ts"

/** A rule does not hold. */
export class RuleBroken extends Schema.TaggedError<RuleBroken>()("RuleBroken", { reason: Schema.String }) {
  override readonly message = this.reason
}

/** A run: asks are done one group after the other, those of a group at the same time. */
export interface Run {
  readonly known: () => Known
  readonly ask: (asks: ReadonlyArray<Ask>) => Effect.Effect<void, RuleBroken>
  /** Lets all leases run out, takes and ends all work, and looks at everything once more. */
  readonly settle: Effect.Effect<void, RuleBroken>
}

/** What the rules remember if the answers came in one order. */
type History = ReadonlyArray<Rule>

/** Who takes everything over in the end. */
const heir = { replica: ReplicaId.make("heir"), terms: Given.longTerms }

const deployments = (use: (store: typeof DeploymentStore.Service) => Call): Call => Effect.flatMap(DeploymentStore, use)
const jobs = (use: (store: typeof JobStore.Service) => Call): Call => Effect.flatMap(JobStore, use)
const abandoned = (replica: ReplicaId) => deployments((store) => store.abandon(replica))
const takenOver = deployments((store) => store.claimAbandoned(heir, 10_000))
const admitted = deployments((store) => store.admit(heir))
const ended = (claim: Claim) => deployments((store) => store.finish(claim, { status: "cancelled" }))

/** Starts a run over empty tables, with five Apps of one Tenant and one of another. */
export const startRun = Effect.fnUntraced(function* (
  ports: Context.Context<ModelPorts>,
  rules: ReadonlyArray<Rule>
): Effect.fn.Return<Run, RuleBroken> {
  let known = nothingKnown
  let histories: ReadonlyArray<History> = [rules]
  let heard: Array<Seen> = []
  const witnesses = witnessed(ports, (seen) => heard.push(seen))

  /** Reads what the rules want to see, all of it. */
  const look = (atEnd: boolean) =>
    Effect.forEach(rules, ({ look, looksLate }) => (looksLate && !atEnd ? Effect.undefined : look(known))).pipe(
      Effect.provideContext(ports),
      Effect.mapError((error) => new RuleBroken({ reason: `looking failed with ${error._tag}` }))
    )

  const differences = (history: History, found: ReadonlyArray<unknown>, atEnd: boolean) =>
    history.flatMap((rule, index) => {
      const difference = rule.looksLate && !atEnd ? undefined : rule.difference(found[index])
      return difference === undefined ? [] : [`${rule.id}: ${difference}`]
    })

  /** Keeps the histories that fit, and fails with the objections to the last one when none does. */
  const keep = (candidates: ReadonlyArray<History>, objections: (history: History) => ReadonlyArray<string>) => {
    const fitting = candidates.filter((history) => objections(history).length === 0)
    if (fitting.length > 0) return Effect.sync(() => void (histories = distinct(fitting)))
    return broken(candidates.flatMap(objections))
  }

  const judged = Effect.fnUntraced(function* (seen: ReadonlyArray<Seen>, alone: boolean) {
    const failed = seen.find(({ refusal }) => refusal === "StoreError")
    if (failed !== undefined) return yield* broken([`the store failed: ${failed.call}`])
    const outcomes = histories.flatMap((history) => explained(history, seen, alone))
    const candidates = outcomes.filter((outcome) => typeof outcome !== "string")
    if (candidates.length === 0) return yield* broken(outcomes.filter((outcome) => typeof outcome === "string"))
    known = seen.reduce(learned, known)
    const found = yield* look(false)
    yield* keep(candidates, (history) => differences(history, found, false))
  })

  const together = Effect.fnUntraced(function* (calls: ReadonlyArray<Call>) {
    heard = []
    yield* Effect.forEach(calls, (call) => Effect.ignore(call), { concurrency: "unbounded" }).pipe(
      Effect.provideContext(witnesses)
    )
    if (calls.length > 1) yield* judged(heard, false)
    else for (const seen of heard) yield* judged([seen], true)
  })

  const ask = (asks: ReadonlyArray<Ask>) =>
    Effect.suspend(() => together(asks.flatMap(({ call }) => call(known) ?? [])))

  /** Ends everything that was given since there were so many Claims. */
  const endFrom = Effect.fnUntraced(function* (first: number) {
    for (const claim of known.claims.slice(first)) yield* together([ended(claim)])
  })

  /** Takes and ends Deployments until there is none to be had. */
  const endDeployments = Effect.fnUntraced(function* (from: number) {
    let first = from
    do {
      yield* endFrom(first)
      first = known.claims.length
      yield* together([admitted])
    } while (known.claims.length > first)
  })

  /** The same for Jobs. */
  const endJobs = Effect.fnUntraced(function* (from: number) {
    let first = from
    do {
      for (const claim of known.jobClaims.slice(first)) {
        yield* together([jobs((store) => store.finish(claim, { status: "failed", exitCode: null }))])
      }
      first = known.jobClaims.length
      yield* together([jobs((store) => store.admit(heir, 1))])
    } while (known.jobClaims.length > first)
  })

  /** Lets the leases of Jobs run out, and Tenants whose cap was changed have as many Slots as they like. */
  const freeJobs = Effect.gen(function* () {
    for (const replica of new Set(known.jobClaims.map((claim) => claim.replica))) {
      yield* together([jobs((store) => store.abandon(replica))])
    }
    for (const tenant of known.capped) {
      yield* together([deployments((store) => store.setCap(tenant, null))])
    }
    const first = known.jobClaims.length
    yield* together([jobs((store) => store.claimAbandoned(heir, 10_000))])
    yield* endJobs(first)
  })

  const settle = Effect.gen(function* () {
    const [hasJobs, holders] = [
      known.jobs.length + known.capped.length > 0,
      new Set(known.claims.map(({ replica }) => replica))
    ]
    for (const replica of holders) yield* together([abandoned(replica)])
    const first = known.claims.length
    yield* together([takenOver])
    yield* endDeployments(first)
    if (hasJobs) yield* freeJobs
    let given: number
    do {
      given = known.claims.length + known.jobClaims.length
      if (!hasJobs) break
      yield* endDeployments(known.claims.length)
      yield* endJobs(known.jobClaims.length)
    } while (known.claims.length + known.jobClaims.length > given)

    const found = yield* look(true)
    yield* keep(histories, (history) => [
      ...history.flatMap(({ id, unsettled }) => {
        const reason = unsettled()
        return reason === undefined ? [] : [`${id}: ${reason}`]
      }),
      ...differences(history, found, true)
    ])
  })

  const tenants = [5, 1].map((count) => Effect.asVoid(Given.registeredTogether(count)))
  yield* Effect.provideContext(Context.get(ports, Tables).clear, ports)
  yield* Effect.forEach(tenants, (apps) => together([apps]))
  return { known: () => known, ask, settle }
})

const broken = (reasons: ReadonlyArray<string>): Effect.Effect<never, RuleBroken> =>
  Effect.fail(new RuleBroken({ reason: [...new Set(reasons)].slice(0, 3).join("\n") }))

/** Every memory that a history may have after these calls in some order, or the objections to each order. */
const explained = (history: History, seen: ReadonlyArray<Seen>, alone: boolean): ReadonlyArray<History | string> =>
  seen.length === 0
    ? [history]
    : seen.flatMap((first, index) => {
        const next = history.map((rule) => rule.next(first, alone))
        const objections = next.flatMap((rule, at) => (typeof rule === "string" ? [`${history[at]?.id}: ${rule}`] : []))
        const rules = next.filter((rule) => typeof rule !== "string")
        return objections.length > 0 ? objections : explained(rules, seen.toSpliced(index, 1), alone)
      })

const distinct = (histories: ReadonlyArray<History>): ReadonlyArray<History> =>
  histories.length === 1
    ? histories
    : [...new Map(histories.map((history) => [history.map(({ memory }) => memory()).join(), history])).values()]
