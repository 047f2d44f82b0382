// Which Provider makes the Runs of which target. A Provider is made when it is first asked for, from its own settings alone.
import { Context, type Effect, Schema } from "effect"
import { Target } from "../domain/Run.ts"
import type { Provider, ProviderError } from "./Provider.ts"

/** No Provider is registered for a target. */
export class TargetNotKnown extends Schema.TaggedError<TargetNotKnown>()("TargetNotKnown", {
  target: Schema.String,
  known: Schema.Array(Target)
}) {
  override readonly message = `there is no target ${this.target}; there are: ${this.known.join(", ")}`
}

/** The Providers of this replica. */
export class Providers extends Context.Service<
  Providers,
  {
    /** The target of a Run that names none. */
    readonly usual: Target
    /** All targets. */
    readonly targets: ReadonlyArray<Target>
    /**
     * The Provider of a target, made with the first call. Callers at the same time share one attempt; one that failed is not
     * remembered: the next call tries again.
     */
    readonly of: (target: Target) => Effect.Effect<Provider, TargetNotKnown | ProviderError>
    /** Those that were made: a Provider that was never asked for has made nothing. */
    readonly made: Effect.Effect<ReadonlyMap<Target, Provider>>
  }
>()("@lockkeeper/core/port/Providers") {}
