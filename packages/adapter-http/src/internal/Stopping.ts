// That the server is about to stop, said before it waits for requests in progress: what would never end by itself ends then.
import { Context, Deferred, Effect, Layer } from "effect"

/** Succeeds when the server is about to stop. */
export class Stopping extends Context.Service<Stopping, Deferred.Deferred<void>>()(
  "@lockkeeper/adapter-http/internal/Stopping"
) {
  static readonly layer: Layer.Layer<Stopping> = Layer.effect(Stopping, Deferred.make<void>())
}

/** Says so when it is closed: to be built after the server, so that it is closed before it. */
export const saysStopping: Layer.Layer<never, never, Stopping> = Layer.effectDiscard(
  Effect.flatMap(Stopping, (stopping) => Effect.addFinalizer(() => Deferred.succeed(stopping, undefined)))
)
