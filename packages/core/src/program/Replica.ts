// Who this process is among those that share a database, and the terms of its leases.
import { Context, Effect, Layer, Schema } from "effect"
import { areSoundTerms, defaultLeaseTerms, type LeaseTerms, type ReplicaId } from "../domain/Lease.ts"

/** Lease terms that leave no room for a missed renewal: `renewEvery` must be positive and at most a third of `ttl`. */
export class UnsoundLeaseTerms extends Schema.TaggedError<UnsoundLeaseTerms>()("UnsoundLeaseTerms", {}) {
  override readonly message = "lease terms must renew at least three times within their ttl"
}

/** The identity under which programs hold leases. */
export class Replica extends Context.Service<Replica, { readonly id: ReplicaId; readonly terms: LeaseTerms }>()(
  "@lockkeeper/core/program/Replica"
) {
  /** An identity; refused when its terms are not sound. */
  static readonly layer = (
    id: ReplicaId,
    terms: LeaseTerms = defaultLeaseTerms
  ): Layer.Layer<Replica, UnsoundLeaseTerms> =>
    Layer.effect(
      Replica,
      Effect.suspend(() => (areSoundTerms(terms) ? Effect.succeed({ id, terms }) : new UnsoundLeaseTerms()))
    )
}
