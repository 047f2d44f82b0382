// What a container says at its end is gone with it: whoever removes it waits, for a moment, until those who read it have come
// to the end.

import { Duration, Effect, Latch, Stream } from "effect"
import type { EngineId } from "./references.ts"

/** Knows who reads what. */
export interface LastWords {
  /** The same stream, known to be read. */
  readonly reading: <A, E, R>(id: EngineId, stream: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  /** Waits until nobody reads this container any more, at most two seconds. To be asked once it has ended. */
  readonly awaitRead: (id: EngineId) => Effect.Effect<void>
}

const patience = Duration.seconds(2)

/** Nobody reads anything yet. */
export const makeLastWords: Effect.Effect<LastWords> = Effect.sync(() => {
  const readers = new Map<EngineId, Set<Latch.Latch>>()

  const enter = Effect.fnUntraced(function* (id: EngineId) {
    const done = yield* Latch.make()
    readers.set(id, (readers.get(id) ?? new Set()).add(done))
    return done
  })
  const leave = (id: EngineId, done: Latch.Latch) =>
    Effect.suspend(() => {
      const others = readers.get(id)
      others?.delete(done)
      if (others?.size === 0) readers.delete(id)
      return done.open
    })

  return {
    reading: (id, stream) =>
      Stream.unwrap(
        Effect.map(
          Effect.acquireRelease(enter(id), (done) => leave(id, done)),
          () => stream
        )
      ),
    awaitRead: (id) =>
      Effect.suspend(() => Effect.forEach(readers.get(id) ?? [], (done) => done.await, { discard: true })).pipe(
        Effect.timeoutOption(patience),
        Effect.asVoid
      )
  }
})
