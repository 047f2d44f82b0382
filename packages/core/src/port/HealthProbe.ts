// Asks once whether something serves at an address. How often and how long to ask is the program's business.
import { Context, Effect, Layer, Schema } from "effect"
import type { HealthCheck } from "../domain/HealthCheck.ts"
import type { Address } from "../domain/Workload.ts"

/** Nothing healthy answered; `detail` says what did. */
export class Unhealthy extends Schema.TaggedError<Unhealthy>()("Unhealthy", { detail: Schema.String }) {
  override readonly message = this.detail
}

/** Probes addresses. */
export class HealthProbe extends Context.Service<
  HealthProbe,
  {
    /** Succeeds when what answers at the address meets the check. One try, bounded in time. */
    readonly probe: (address: Address, check: HealthCheck) => Effect.Effect<void, Unhealthy>
  }
>()("@lockkeeper/core/port/HealthProbe") {
  /** Everything is healthy. */
  static readonly layerMemory: Layer.Layer<HealthProbe> = Layer.succeed(HealthProbe, { probe: () => Effect.void })
}
