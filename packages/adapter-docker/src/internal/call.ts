// The one way to the engine. Every call races a timer of its own: a client library whose engine dies in the middle of an
// answer never settles, whatever it was told of timeouts and signals.

import * as NodeStream from "@effect/platform-node/NodeStream"
import { failpoint } from "@lockkeeper/core/port/failpoint"
import { Duration, Effect, Schema, type Scope, type Stream } from "effect"
import { Readable } from "node:stream"
import { EngineError, engineError, isAbsent } from "./EngineError.ts"

/** How long the engine may take for what it does at once, and for what takes its time. */
export const patience = { short: Duration.seconds(15), long: Duration.seconds(60) } as const

/**
 * Calls the engine. Interrupted, it stops listening at once; what the engine makes of the request then is not known, so
 * a call that changes something is made where nothing interrupts it, and settled by looking.
 */
export const call = <A>(
  operation: string,
  within: Duration.Duration,
  run: (abortSignal: AbortSignal) => Promise<A>
): Effect.Effect<A, EngineError> =>
  failpoint(
    `docker.${operation}`,
    answered(operation, within, run),
    Effect.fail(new EngineError({ operation, reason: "unreachable", detail: "a failpoint" }))
  )

const answered = <A>(
  operation: string,
  within: Duration.Duration,
  run: (abortSignal: AbortSignal) => Promise<A>
): Effect.Effect<A, EngineError> =>
  Effect.callback<A, EngineError>((resume) => {
    const controller = new AbortController()
    const timer = setTimeout(() => {
      const detail = `the engine did not answer within ${Duration.format(within)}`
      resume(Effect.fail(new EngineError({ operation, reason: "timed_out", detail })))
      controller.abort()
    }, Duration.toMillis(within))
    run(controller.signal).then(
      (value) => {
        clearTimeout(timer)
        resume(Effect.succeed(value))
      },
      (cause: unknown) => {
        clearTimeout(timer)
        resume(Effect.fail(engineError(operation, cause)))
      }
    )
    return Effect.sync(() => {
      clearTimeout(timer)
      controller.abort()
    })
  })

/** Calls for an answer that is read bit by bit and begins within this time; when the Scope closes, the engine is no longer listened to. */
export const open = Effect.fnUntraced(function* (
  operation: string,
  run: (abortSignal: AbortSignal) => Promise<NodeJS.ReadableStream>,
  within: Duration.Duration = patience.long
): Effect.fn.Return<Readable, EngineError, Scope.Scope> {
  const controller = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort())
  )
  const stream = yield* call(operation, within, () => run(controller.signal))
  if (!(stream instanceof Readable)) return yield* engineError(operation, new Error("the answer is not a stream"))
  // Whoever reads it hears of its failures; after that, nobody listens any more.
  stream.on("error", () => undefined)
  yield* Effect.addFinalizer(() => Effect.sync(() => stream.destroy()))
  return stream
})

/** The bytes of such an answer. One that ends before it is complete is an error. */
export const bytesOf = (operation: string, stream: Readable): Stream.Stream<Uint8Array, EngineError> =>
  NodeStream.fromReadable({
    evaluate: () => stream,
    onError: (cause) => engineError(operation, cause),
    closeOnDone: true
  })

/** Reads an answer of the engine; one that is not as it must be is an error, and nothing is filled in. */
export const decoded =
  <S extends Schema.Top & { readonly DecodingServices: never }>(operation: string, schema: S) =>
  (answer: unknown): Effect.Effect<S["Type"], EngineError> =>
    Effect.mapError(
      Schema.decodeUnknownEffect(schema)(answer),
      () => new EngineError({ operation, reason: "unexpected", detail: "the engine's answer is not understood" })
    )

/** Answers undefined where there is none. */
export const orAbsent = <A, R>(self: Effect.Effect<A, EngineError, R>): Effect.Effect<A | undefined, EngineError, R> =>
  Effect.catch(self, (error) => (isAbsent(error) ? Effect.succeed(undefined) : Effect.fail(error)))
