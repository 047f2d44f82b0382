// Begins a Run: what is asked for is looked at, a block of addresses and a Slot are taken, and the Run is on record. Nothing
// of it is made yet. Whatever goes wrong in between gives back what was taken; after a crash the lapse of both leases does.
import { DateTime, Duration, Effect, Result, Schema } from "effect"
import { keepLimitHours, RunId, type RunName, type Target } from "../domain/Run.ts"
import { plan, referencesOf } from "../domain/Plan.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { Topology } from "../domain/Topology.ts"
import { InvalidTopology, MutableImage, refusalOf } from "../domain/topologyRefusal.ts"
import { ImageDigest } from "../domain/Workload.ts"
import type { LeaseLost } from "../port/Claim.ts"
import { JobRefused } from "../port/JobRequest.ts"
import type { JobStore } from "../port/JobStore.ts"
import { type Provider, ProviderError } from "../port/Provider.ts"
import { Providers, TargetNotKnown } from "../port/Providers.ts"
import type { RunClaim, RunRequest } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import { StoreError } from "../port/StoreError.ts"
import { PoolExhausted, type SubnetLease, SubnetOwner } from "../port/SubnetPool.ts"
import { beginJob } from "./beginJob.ts"
import { countRunBegun } from "./metrics.ts"
import type { Replica } from "./Replica.ts"
import type { RunInHand } from "./RunInHand.ts"
import { untilWritten } from "./untilWritten.ts"
import { inSlot } from "./withSlot.ts"

/** A Run was to be kept for longer than is allowed at a time. */
export class KeepTooLong extends Schema.TaggedError<KeepTooLong>()("KeepTooLong", { limitHours: Schema.Int }) {
  override readonly message = `a run is kept for at most ${this.limitHours} hours from now on`
}

/** A Run was not begun; nothing is left of it. The reason says why, with what helps to act. */
export class RunRefused extends Schema.TaggedError<RunRefused>()("RunRefused", {
  reason: Schema.Union([TargetNotKnown, InvalidTopology, MutableImage, KeepTooLong, PoolExhausted, JobRefused])
}) {
  override readonly message = this.reason.message
}

/** What a Run is asked for with. Without a target it is made in the usual place. */
export interface TopologyRequest {
  readonly tenant: TenantName
  readonly name: RunName
  readonly target?: Target | undefined
  readonly topology: Topology
  readonly keepUntil?: DateTime.Utc | undefined
}

/** What may prevent that a Run begins. */
export type BeginRunError = RunRefused | LeaseLost | ProviderError | StoreError

/** The ports that beginning a Run needs. */
export type BeginRunPorts = JobStore | Providers | Replica | RunStore

/**
 * Begins a Run, which is `provisioning` then and this caller's to carry out: interrupted before it does, the Run has failed
 * with `server_lost` once its lease is over. Refused, nothing is left of it. With a
 * `StoreError` it may not be known whether it was written: if it was, it ends as `failed` once its lease is over.
 */
export const beginRun = Effect.fn("beginRun")(function* (
  request: TopologyRequest
): Effect.fn.Return<RunInHand, BeginRunError, BeginRunPorts> {
  return yield* Effect.uninterruptible(begun(request)).pipe(
    Effect.tap(() => countRunBegun("begun")),
    Effect.tapError((error) => countRunBegun(error._tag === "RunRefused" ? error.reason._tag : error._tag))
  )
})

const begun = Effect.fnUntraced(function* (request: TopologyRequest) {
  const { name, tenant, topology } = request
  const providers = yield* Providers
  const target = request.target ?? providers.usual
  const provider = yield* providers
    .of(target)
    .pipe(
      Effect.catchTag("TargetNotKnown", refused),
      Effect.timeoutOrElse({ duration: providerPatience, orElse: () => Effect.fail(tooLate(target)) })
    )
  const isRefused = refusalOf(topology) ?? provider.refuses(topology)
  if (isRefused !== undefined) return yield* refused(isRefused)
  yield* ensureKeepable(request.keepUntil).pipe(Effect.catchTag("KeepTooLong", refused))

  const id = yield* freshRunId
  const network = yield* provider
    .reserve(SubnetOwner.make(id))
    .pipe(Effect.catchTag("PoolExhausted", (reason) => refused(reason)))
  const slot = yield* unlessPlanned(topology, network).pipe(
    Effect.andThen(slotOf(tenant)),
    Effect.onError(() => unused(provider, network))
  )
  const { fence } = slot
  const wanted = { id, job: slot.job.id, fence, tenant, name, target, topology, network, keepUntil: request.keepUntil }
  const run = yield* recorded(wanted, provider)
  return { run, slot }
})

/** How long the first use of a Provider may take, before anything of a Run exists. */
const providerPatience = Duration.seconds(15)

const tooLate = (target: Target) =>
  new ProviderError({ reason: "provider_unavailable", detail: `what makes runs on ${target} did not answer in time` })

const refused = (reason: RunRefused["reason"]) => Effect.fail(new RunRefused({ reason }))

/** Whether a Run may be kept until then. */
export const ensureKeepable = Effect.fnUntraced(function* (
  until: DateTime.Utc | undefined
): Effect.fn.Return<void, KeepTooLong> {
  const latest = DateTime.addDuration(yield* DateTime.now, Duration.hours(keepLimitHours))
  if (until !== undefined && DateTime.isGreaterThan(until, latest)) {
    return yield* new KeepTooLong({ limitHours: keepLimitHours })
  }
})

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

const freshRunId = Effect.sync(() =>
  RunId.make(`run_${Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => alphabet[byte % 32]).join("")}`)
)

/** Whatever its images turn out to be, the Topology must have a Plan in this block. */
const unlessPlanned = (topology: Topology, network: SubnetLease | null) => {
  const anyImage = ImageDigest.make(`sha256:${"0".repeat(64)}`)
  const digests = new Map(referencesOf(topology).map((reference) => [reference, anyImage]))
  return Result.match(plan(topology, { subnet: network?.subnet ?? null, digests }), {
    onSuccess: () => Effect.void,
    onFailure: (error) => (error._tag === "ImageNotFound" ? Effect.die(error) : refused(error))
  })
}

/** The Slot of the Run's Tenant, at once or not at all. */
const slotOf = Effect.fnUntraced(function* (tenant: TenantName) {
  const asked = { of: { tenant }, task: inSlot, items: undefined, onFull: "reject" as const }
  const { claim } = yield* Effect.catchTag(beginJob(asked), "JobRefused", refused)
  return claim ?? (yield* new StoreError({ operation: "JobStore.begin", reason: "unexpected", cause: "no claim" }))
})

/** Gives a block back of which nothing was used; when that fails it lapses. */
const unused = (provider: Provider, network: SubnetLease | null) =>
  network === null
    ? Effect.void
    : Effect.catchCause(Effect.timeout(provider.giveBack(network, true), "10 seconds"), (cause) =>
        Effect.logWarning(`the subnet of ${network.owner} is left to lapse`, cause)
      )

/**
 * Writes the Run down. Where it is not known whether it was, everything is left as it is: whoever takes the Slot after its
 * lease finds the Run, or that there is none.
 */
const recorded = Effect.fnUntraced(function* (request: RunRequest, provider: Provider) {
  const runs = yield* RunStore
  const written: Effect.Effect<RunClaim, LeaseLost | StoreError> = untilWritten(runs.create(request))
  return yield* Effect.tapError(written, ({ _tag }) =>
    _tag === "LeaseLost" ? unused(provider, request.network) : Effect.void
  )
})
