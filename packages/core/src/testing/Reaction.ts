// What can become of a call: each as a function of what it would do and of its own way of failing. They are what a
// failpoint is told to do.
import { Deferred, type Duration, Effect, Latch } from "effect"

/** What becomes of a call, given what it would do and its own way of failing, where it has one. */
export interface Reaction {
  <A, E, R>(call: Effect.Effect<A, E, R>, refuse: Effect.Effect<never, E> | undefined): Effect.Effect<A, E, R>
}

/** Fails before anything was done; what cannot fail is done as usual. */
export const fails: Reaction = (call, refuse) => refuse ?? call

/** Does it, and the caller sees a failure: the answer was lost. What cannot fail is done as usual. */
export const loses: Reaction = (call, refuse) => (refuse === undefined ? call : Effect.andThen(call, refuse))

/** Dies before anything was done. */
export const dies: Reaction = () => Effect.die(new Error("a defect before the effect"))

/** Does it, and dies before the answer. */
export const diesAfter: Reaction = (call) => Effect.andThen(call, Effect.die(new Error("a defect after the effect")))

/** Never answers and never does anything. */
export const hangs: Reaction = () => Effect.never

/** Does it after a while. */
export const delays =
  (duration: Duration.Input): Reaction =>
  (call) =>
    Effect.andThen(Effect.sleep(duration), call)

/** Does something first that ends everything, such as killing the process. */
export const endsBefore =
  (end: Effect.Effect<unknown>): Reaction =>
  () =>
    Effect.andThen(end, Effect.never)

/** Does it, and then something that ends everything, before the answer. */
export const endsAfter =
  (end: Effect.Effect<unknown>): Reaction =>
  (call) =>
    call.pipe(Effect.andThen(end), Effect.andThen(Effect.never))

/** A reaction for so many calls; the ones after them are as usual. */
export const times = (count: number, reaction: Reaction): Reaction => {
  let left = count
  return (call, refuse) => Effect.suspend(() => (left-- > 0 ? reaction(call, refuse) : call))
}

/** Calls that wait, before or after their effect, until they are let go. */
export interface Hold {
  readonly before: Reaction
  readonly after: Reaction
  /** Waits until the first call waits. */
  readonly reached: Effect.Effect<void>
  readonly release: Effect.Effect<boolean>
}

/** Makes a {@link Hold}. */
export const makeHold: Effect.Effect<Hold> = Effect.gen(function* () {
  const reached = yield* Deferred.make<void>()
  const latch = yield* Latch.make()
  const wait = Effect.andThen(Deferred.succeed(reached, undefined), latch.await)
  return {
    before: (call) => Effect.andThen(wait, call),
    after: (call) => Effect.tap(call, wait),
    reached: Deferred.await(reached),
    release: latch.open
  }
})
