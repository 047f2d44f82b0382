// A runtime that can only be made when the database is ready, for a server that answers before that: what is asked of it
// waits. Only the Dispatcher asks, which waits for the same.
import { Context, Deferred, Effect, Layer, Stream } from "effect"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"

type Ports = ContainerRuntime | SourceFetcher

/** Provides the ports of a layer at once, which is built in the background. */
export const late = <E, R>(made: Layer.Layer<Ports, E, R>): Layer.Layer<Ports, never, R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const ports = yield* Deferred.make<Context.Context<Ports>>()
      const making = Effect.tapCause(Layer.build(made), (cause) => Effect.logError("there is no runtime", cause))
      yield* Effect.forkScoped(Deferred.into(Effect.orDie(making), ports))

      const runtime = Effect.map(Deferred.await(ports), Context.get(ContainerRuntime))
      const fetcher = Effect.map(Deferred.await(ports), Context.get(SourceFetcher))
      return Context.empty().pipe(
        Context.add(SourceFetcher, { fetch: (source) => Effect.flatMap(fetcher, ({ fetch }) => fetch(source)) }),
        Context.add(ContainerRuntime, {
          build: (tree, say) => Effect.flatMap(runtime, ({ build }) => build(tree, say)),
          start: (spec) => Effect.flatMap(runtime, ({ start }) => start(spec)),
          inspect: (workload) => Effect.flatMap(runtime, ({ inspect }) => inspect(workload)),
          run: (spec, say, started) => Effect.flatMap(runtime, ({ run }) => run(spec, say, started)),
          logs: (workload, after) => Stream.unwrap(Effect.map(runtime, ({ logs }) => logs(workload, after))),
          stop: (name, id) => Effect.flatMap(runtime, ({ stop }) => stop(name, id)),
          hasImage: (image) => Effect.flatMap(runtime, ({ hasImage }) => hasImage(image)),
          images: Effect.flatMap(runtime, ({ images }) => images),
          keepImage: (image) => Effect.flatMap(runtime, ({ keepImage }) => keepImage(image)),
          removeImage: (kept) => Effect.flatMap(runtime, ({ removeImage }) => removeImage(kept)),
          owned: Effect.flatMap(runtime, ({ owned }) => owned)
        })
      )
    })
  )
