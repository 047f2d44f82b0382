// Extends the reservation of a Run's block of addresses while somebody needs it.
import { Duration, Effect, type Scope } from "effect"
import { Providers } from "../port/Providers.ts"
import type { RunInHand } from "./RunInHand.ts"

/** How often; a Provider demands it at least each minute. */
const every = Duration.seconds(25)

/** Extends the block of a Run, if it has one, now and for as long as the Scope lasts. What fails is tried again soon. */
export const holdSubnet = Effect.fnUntraced(function* ({
  run: { network, run }
}: RunInHand): Effect.fn.Return<void, never, Providers | Scope.Scope> {
  if (network === null) return
  const providers = yield* Providers
  const lease = { ...network.lease, subnet: network.subnet }
  const extended = Effect.flatMap(providers.of(run.target), (provider) => provider.extend(lease)).pipe(
    Effect.as(every),
    Effect.catchCause((cause) =>
      Effect.as(Effect.logWarning(`the subnet of ${run.id} was not extended`, cause), Duration.seconds(5))
    )
  )
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(extended, Effect.sleep)))
})
