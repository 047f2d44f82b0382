// Which Provider makes the Runs of which target. A Provider is made when it is first asked for, from its own settings alone.
import { Context, Duration, Effect, Layer, Schema, type Scope } from "effect"
import { Target } from "../domain/Run.ts"
import { makeMemoryProvider } from "./memoryProvider.ts"
import { MemoryState } from "./MemoryState.ts"
import { type Provider, ProviderError } from "./Provider.ts"
import { sharedUntilMade } from "./sharedUntilMade.ts"
import { PoolName, SubnetPool, type SubnetPoolSpec } from "./SubnetPool.ts"

/** No Provider is registered for a target. */
export class TargetNotKnown extends Schema.TaggedError<TargetNotKnown>()("TargetNotKnown", {
  target: Schema.String,
  known: Schema.Array(Target)
}) {
  override readonly message = `there is no target ${this.target}; there are: ${this.known.join(", ")}`
}

/** How the Provider of a target is made from what its section of the operator's settings says. See {@link targetSpec}. */
export interface TargetSpec {
  readonly target: Target
  readonly make: (section: unknown) => Effect.Effect<Provider, ProviderError, Scope.Scope>
}

/**
 * Says how the Provider of a target is made. Its settings are read by this schema, and what is wrong with them is
 * `provider_unavailable`, with nothing of their values in it.
 */
export const targetSpec = <A>(spec: {
  readonly target: Target
  readonly settings: Schema.Decoder<A>
  readonly make: (settings: A) => Effect.Effect<Provider, ProviderError, Scope.Scope>
}): TargetSpec => ({
  target: spec.target,
  make: (section) =>
    Schema.decodeUnknownEffect(spec.settings)(section).pipe(
      Effect.mapError(() => unreadable(spec.target)),
      Effect.flatMap(spec.make)
    )
})

/** What {@link Providers.layer} is made with. */
export interface ProvidersSpec {
  readonly targets: ReadonlyArray<TargetSpec>
  /** What the operator says, by target. A section is looked at when its Provider is made; one that is absent is `{}`. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly usual: Target
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
>()("@lockkeeper/core/port/Providers") {
  /** Providers that are made with their first use, and last as long as the layer. */
  static readonly layer = (spec: ProvidersSpec): Layer.Layer<Providers> => Layer.effect(Providers, make(spec))

  /** Two Providers in memory: `memory`, which is the usual one and has a pool of Subnets, and `host`, whose nodes share it. */
  static readonly layerMemory: Layer.Layer<Providers, never, MemoryState> = Layer.unwrap(
    Effect.gen(function* () {
      const state = yield* MemoryState
      const pool = { subnets: yield* SubnetPool, pool: Effect.succeed(memoryPool), taken: Effect.succeed([]) }
      const named = (name: string, provider: Provider) =>
        targetSpec({ target: Target.make(name), settings: Schema.Struct({}), make: () => Effect.succeed(provider) })
      const memory = named("memory", makeMemoryProvider(state, pool))
      const targets = [memory, named("host", makeMemoryProvider(state))]
      return Providers.layer({ targets, settings: {}, usual: memory.target })
    })
  ).pipe(Layer.provide(SubnetPool.layerMemory))
}

const memoryPool: SubnetPoolSpec = {
  name: PoolName.make("memory-runs"),
  range: { first: 10 * 2 ** 24, prefix: 16 },
  prefix: 24,
  rest: Duration.minutes(1)
}

const unreadable = (target: Target): ProviderError =>
  new ProviderError({ reason: "provider_unavailable", detail: `the settings of the target ${target} cannot be read` })

const make = Effect.fnUntraced(function* ({ settings, targets: specs, usual }: ProvidersSpec) {
  const targets = specs.map(({ target }) => target)
  const shared = yield* Effect.forEach(specs, ({ make, target }) => {
    const making = Effect.suspend(() => make(Object.hasOwn(settings, target) ? settings[target] : {}))
    return Effect.map(sharedUntilMade(making), (it) => [target, it] as const)
  })
  const byTarget = new Map(shared)

  return Providers.of({
    usual,
    targets,
    of: (target) => byTarget.get(target)?.get ?? new TargetNotKnown({ target, known: targets }),
    made: Effect.gen(function* () {
      const made = new Map<Target, Provider>()
      for (const [target, it] of byTarget) {
        const provider = yield* it.made
        if (provider !== undefined) made.set(target, provider)
      }
      return made
    })
  })
})
