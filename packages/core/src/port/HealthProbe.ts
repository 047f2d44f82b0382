// Asks once whether something serves at an address. How often and how long to ask is the program's business.
import { Context, Duration, Effect, Layer, Schema } from "effect"
import type { HealthCheck } from "../domain/HealthCheck.ts"
import type { Address } from "../domain/Workload.ts"
import { MemoryState, type MemoryTables } from "./MemoryState.ts"

/** Nothing healthy answered; `detail` says what did. */
export class Unhealthy extends Schema.TaggedError<Unhealthy>()("Unhealthy", { detail: Schema.String }) {
  override readonly message = this.detail
}

/** Probes addresses. */
export class HealthProbe extends Context.Service<
  HealthProbe,
  {
    /**
     * Succeeds when what answers at the address meets the check. One try, over before the check's time is; what is said
     * of a failure shows nothing of a body.
     */
    readonly probe: (address: Address, check: HealthCheck) => Effect.Effect<void, Unhealthy>
  }
>()("@lockkeeper/core/port/HealthProbe") {
  /** What runs in memory is healthy unless the state says that it ails, and nothing else is. */
  static readonly layerMemory: Layer.Layer<HealthProbe, never, MemoryState> = Layer.effect(
    HealthProbe,
    Effect.map(MemoryState, (state) => {
      const unhealthy = (detail: string) => Effect.fail(new Unhealthy({ detail }))

      const probe = Effect.fnUntraced(function* (address: Address, { path, timeoutSeconds }: HealthCheck) {
        const found = listening(state).find(
          (it) => it.address?.host === address.host && it.address.port === address.port
        )
        if (found === undefined) return yield* unhealthy("nothing listens")
        const { ailment } = found
        if (path === undefined || ailment === undefined) return
        if (ailment === "failure") return yield* unhealthy(`GET ${path} answered 500`)
        return yield* Effect.delay(unhealthy("there was no answer"), Duration.seconds(timeoutSeconds))
      })

      return HealthProbe.of({ probe })
    })
  )
}

/** What runs in memory, where it is reached, and what is wrong with it. */
const listening = ({ ailments, provided, workloads }: MemoryTables) => [
  ...[...workloads.values()].map(({ address, name }) => ({ address, ailment: ailments.get(name) })),
  ...[...provided.places.values()]
    .flatMap(({ nodes }) => [...nodes.values()])
    .filter(({ state }) => state.state === "running")
    .map(({ place: { address, node } }) => ({ address, ailment: provided.ailments.get(node) }))
]
