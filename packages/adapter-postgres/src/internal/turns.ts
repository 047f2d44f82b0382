// Lets work on one thing go ahead one at a time within this process, first come first served. It saves connections: who
// waits here holds none, so that many who want one row leave the pool to others. It protects nothing: the row's lock does.

import { type Duration, Effect, Semaphore } from "effect"

interface Turn {
  readonly semaphore: Semaphore.Semaphore
  users: number
}

/** Runs an effect when its turn for `key` has come, or `late` when it has not come in time. */
export type InTurn = <A, E, R, E2>(
  key: string,
  self: Effect.Effect<A, E, R>,
  late: Effect.Effect<never, E2>
) => Effect.Effect<A, E | E2, R>

/** Makes turns that are waited for as long as `limit`. */
export const turns = (limit: Duration.Input): InTurn => {
  const known = new Map<string, Turn>()

  const join = (key: string): Turn => {
    const turn = known.get(key) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
    turn.users += 1
    known.set(key, turn)
    return turn
  }

  const leave = (key: string, turn: Turn): void => {
    turn.users -= 1
    if (turn.users === 0) known.delete(key)
  }

  return (key, self, late) =>
    Effect.acquireUseRelease(
      Effect.sync(() => join(key)),
      ({ semaphore }) => {
        let begun = false
        const begin = Effect.suspend(() => {
          begun = true
          return self
        })
        const watch = Effect.flatMap(Effect.sleep(limit), () => (begun ? Effect.never : late))
        return Effect.raceFirst(semaphore.withPermit(begin), watch)
      },
      (turn) => Effect.sync(() => leave(key, turn))
    )
}
