// Makes something with its first use, once for all who ask. Not Effect.cached, which remembers a failure, and the
// interruption of who came first, for ever.
import { Effect, Exit, Fiber, Scope } from "effect"

interface Attempt<A, E> {
  readonly fiber: Fiber.Fiber<A, E>
  waiting: number
  isGivenUp: boolean
}

/**
 * Who asks at the same time shares one attempt, which goes on as long as one of them waits. What was made lasts as long as
 * the Scope; an attempt that failed or was given up has released what it had, and the next call makes another.
 */
export const sharedUntilMade = Effect.fnUntraced(function* <A, E>(
  make: Effect.Effect<A, E, Scope.Scope>
): Effect.fn.Return<
  { readonly get: Effect.Effect<A, E>; readonly made: Effect.Effect<A | undefined> },
  never,
  Scope.Scope
> {
  const scope = yield* Effect.scope
  let made: { readonly value: A } | undefined
  let attempt: Attempt<A, E> | undefined

  const attempted = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const own = yield* Scope.fork(scope)
      const exit = yield* Effect.exit(restore(Scope.provide(make, own)))
      if (Exit.isSuccess(exit)) made = { value: exit.value }
      else yield* Scope.close(own, exit)
      attempt = undefined
      return yield* exit
    })
  )

  const begin = Effect.map(Effect.forkIn(attempted, scope), (fiber) => {
    attempt = { fiber, waiting: 0, isGivenUp: false }
    return attempt
  })

  const leave = (joined: Attempt<A, E>) =>
    Effect.suspend(() => {
      joined.waiting--
      if (joined.waiting > 0 || attempt !== joined) return Effect.void
      joined.isGivenUp = true
      return Fiber.interrupt(joined.fiber)
    })

  const get: Effect.Effect<A, E> = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      if (made !== undefined) return made.value
      const joined = attempt ?? (yield* begin)
      joined.waiting++
      const exit = yield* Effect.ensuring(restore(Fiber.await(joined.fiber)), leave(joined))
      return yield* joined.isGivenUp && Exit.hasInterrupts(exit) ? restore(get) : exit
    })
  )

  return { get, made: Effect.sync(() => made?.value) }
})
