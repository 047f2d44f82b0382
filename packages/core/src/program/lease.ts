// Holding on to a Claim, or to another lease, while its work runs, and letting go in time when that is no longer possible.
import { Clock, Duration, Effect, Fiber, type Scope } from "effect"
import type { WorkId } from "../domain/Job.ts"
import type { LeaseTerms } from "../domain/Lease.ts"
import { type Claim, LeaseLost } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { JobClaim } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Replica } from "./Replica.ts"

/**
 * Renews the lease of a Claim for as long as the Scope lasts, and answers an effect that fails when it is lost: refused,
 * or not renewed until a tenth before its end (measured here from before each renewal was sent).
 */
export const holdLease = Effect.fnUntraced(function* (
  claim: Claim
): Effect.fn.Return<Effect.Effect<never, LeaseLost>, never, DeploymentStore | Replica | Scope.Scope> {
  const store = yield* DeploymentStore
  const { terms } = yield* Replica
  return yield* held(claim.deployment.id, store.renew(claim, terms))
})

/** The same for the Claim of a Job. */
export const holdJob = Effect.fnUntraced(function* (
  claim: JobClaim
): Effect.fn.Return<Effect.Effect<never, LeaseLost>, never, JobStore | Replica | Scope.Scope> {
  const store = yield* JobStore
  const { terms } = yield* Replica
  return yield* held(claim.job.id, store.renew(claim, terms))
})

/** Runs work while holding the lease of its Claim. When the lease is lost, the work is interrupted: `LeaseLost`. */
export const whileLeased = Effect.fnUntraced(function* <A, E, R>(
  claim: Claim,
  work: Effect.Effect<A, E, R>
): Effect.fn.Return<A, E | LeaseLost, R | DeploymentStore | Replica> {
  return yield* Effect.scoped(Effect.flatMap(holdLease(claim), (lost) => Effect.raceFirst(work, lost)))
})

/**
 * Renews a lease until it is lost, and succeeds then: refused, or not renewed until a tenth before its end (measured here from
 * before each renewal was sent). `heldFrom` is when the first one was asked for, on the monotonic clock (now).
 */
export const untilLost = Effect.fnUntraced(function* <R>(
  terms: LeaseTerms,
  renewal: Effect.Effect<Renewal, never, R>,
  heldFrom?: number
): Effect.fn.Return<void, never, R> {
  const usable = (Duration.toMillis(terms.ttl) * 9) / 10
  let renewedAt = heldFrom ?? (yield* monotonicMillis)
  while (true) {
    const remaining = renewedAt + usable - (yield* monotonicMillis)
    yield* Effect.sleep(Duration.min(terms.renewEvery, Duration.millis(Math.max(0, remaining))))
    const sentAt = yield* monotonicMillis
    const left = Math.max(0, renewedAt + usable - sentAt)
    const answer = yield* Effect.timeoutOrElse(renewal, {
      duration: Duration.millis(left),
      orElse: () => Effect.succeed<Renewal>("unanswered")
    })
    if (answer === "renewed") renewedAt = sentAt
    else if (answer === "refused" || (yield* monotonicMillis) >= renewedAt + usable) return
  }
})

/** What became of asking for a lease that one holds. */
export type Renewal = "renewed" | "refused" | "unanswered"

/** Now, on a clock that only goes forward. */
export const monotonicMillis: Effect.Effect<number> = Effect.map(
  Clock.clockWith((clock) => clock.monotonicTimeNanos),
  (nanos) => Number(nanos / 1_000_000n)
)

/** Renews the lease of some work for as long as the Scope lasts, and answers an effect that fails when it is lost. */
const held = Effect.fnUntraced(function* (work: WorkId, renew: Effect.Effect<void, LeaseLost | StoreError>) {
  const { terms } = yield* Replica
  const renewal = renew.pipe(
    Effect.as<Renewal>("renewed"),
    Effect.catchTags({
      LeaseLost: () => Effect.succeed<Renewal>("refused"),
      StoreError: () => Effect.succeed<Renewal>("unanswered")
    })
  )
  const lost = Effect.andThen(untilLost(terms, renewal), Effect.fail(new LeaseLost({ work })))
  return Fiber.join(yield* Effect.forkScoped(lost))
})
