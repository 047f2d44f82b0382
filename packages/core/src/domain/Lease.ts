// Time-bounded ownership and the number that proves who owned it last. A lease saves work; the fence keeps data right.
import { Duration, Schema } from "effect"

/** A strictly increasing number per App: a write that carries an older Fence than the stored one is refused. */
export const Fence = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).pipe(Schema.brand("Fence"))

/** The type of {@link Fence}. */
export type Fence = typeof Fence.Type

/** Who holds leases: one id per server process, kept in its data directory so that a restart can give up its old leases. */
export const ReplicaId = Schema.String.check(Schema.isPattern(/^[a-z0-9_-]{1,64}$/)).pipe(Schema.brand("ReplicaId"))

/** The type of {@link ReplicaId}. */
export type ReplicaId = typeof ReplicaId.Type

/** How long a lease lasts without renewal, and how often its holder renews it. */
export interface LeaseTerms {
  readonly ttl: Duration.Duration
  readonly renewEvery: Duration.Duration
}

/** Fifteen seconds, renewed every four. */
export const defaultLeaseTerms: LeaseTerms = { ttl: Duration.seconds(15), renewEvery: Duration.seconds(4) }

/** Whether terms leave room for two missed renewals: `renewEvery` is positive and at most a third of `ttl`. */
export const areSoundTerms = (terms: LeaseTerms): boolean =>
  Duration.toMillis(terms.renewEvery) > 0 && Duration.toMillis(terms.renewEvery) * 3 <= Duration.toMillis(terms.ttl)
