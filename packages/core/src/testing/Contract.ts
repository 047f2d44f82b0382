// What a port promises, as data: each law is one sentence and an effect that fails when an adapter breaks it.
// Any test runner can map over a contract; nothing here knows one. Laws run on the Clock that they are given, so tests of
// real adapters run them with live services.
import { Cause, Clock, Duration, Effect, Equal, Exit, Fiber, Formatter, Option, Schema } from "effect"

/** An adapter breaks a law: what the law expects, and what was seen instead. Secrets are shown redacted. */
export class Violation extends Schema.TaggedError<Violation>()("Violation", {
  id: Schema.String,
  law: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override readonly message = `${this.id} ${this.law}: expected ${this.expected}, but ${this.actual}`
}

/** One assertion does not hold. {@link law} turns it into a {@link Violation} of that law. */
export class Mismatch extends Schema.TaggedError<Mismatch>()("Mismatch", {
  expected: Schema.String,
  actual: Schema.String
}) {
  override readonly message = `expected ${this.expected}, but ${this.actual}`
}

/**
 * A rule that every adapter of a port keeps. `id` is that of the requirement behind it, where there is one; several laws
 * may share it, and with the sentence it names one law of a contract.
 */
export interface Law<R> {
  readonly id: string
  readonly law: string
  readonly run: Effect.Effect<void, Violation, R>
}

/** The laws of a port. Run each under services of its own, or all under the same ones, one after the other. */
export type Contract<R> = ReadonlyArray<Law<R>>

const render = (value: unknown): string => Formatter.format(value)

/** What a law saw instead of an end without a failure. */
const failureOf = <E>(cause: Cause.Cause<E>): Mismatch => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error instanceof Mismatch) return error
  const defect = cause.reasons.find(Cause.isDieReason)
  const actual =
    error !== undefined
      ? `it failed with ${render(error)}`
      : defect !== undefined
        ? `it died with ${render(defect.defect)}`
        : "it was interrupted by itself"
  return new Mismatch({ expected: "no failure", actual })
}

/** Runs a check in a fiber of its own, so that its interruption of itself is told from that of whoever runs it. */
const exitOf = <A, E, R>(check: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkChild(restore(check)), (fiber) =>
      Effect.onInterrupt(restore(Fiber.await(fiber)), () => Fiber.interrupt(fiber))
    )
  )

/**
 * States a law. Whatever `check` comes to but success violates the law: an assertion, an unexpected error of a port, a
 * defect, an interruption that did not come from outside.
 */
export const law = <A, E, R>(id: string, law: string, check: Effect.Effect<A, E, R>): Law<R> => ({
  id,
  law,
  run: Effect.flatMap(exitOf(check), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.void
    const { actual, expected } = failureOf(exit.cause)
    return Effect.fail(new Violation({ id, law, expected, actual }))
  })
})

/** Fails unless both values are structurally equal. `what` names the value in the failure. */
export const equal = <A>(what: string, actual: A, expected: A): Effect.Effect<void, Mismatch> =>
  Equal.equals(actual, expected)
    ? Effect.void
    : Effect.fail(new Mismatch({ expected: `${what} to be ${render(expected)}`, actual: `it is ${render(actual)}` }))

/** Fails unless the condition is met; `seen` is shown when it is not. */
export const holds = (what: string, condition: boolean, seen?: unknown): Effect.Effect<void, Mismatch> =>
  condition
    ? Effect.void
    : Effect.fail(
        new Mismatch({ expected: what, actual: seen === undefined ? "it is not so" : `there is ${render(seen)}` })
      )

/** Fails when the value is absent, and answers it otherwise. */
export const present = <A>(what: string, value: A | null | undefined): Effect.Effect<A, Mismatch> =>
  value === null || value === undefined
    ? Effect.fail(new Mismatch({ expected: what, actual: `it is ${value}` }))
    : Effect.succeed(value)

/** An error that is told from others by its tag. */
export type Tagged = { readonly _tag: string }

const hasTag = <E extends Tagged, Tag extends E["_tag"]>(
  error: E,
  tag: Tag
): error is Extract<E, { readonly _tag: Tag }> => error._tag === tag

/** Fails unless the effect fails with this tag, and answers that error. */
export const refused = <A, E extends Tagged, R, Tag extends E["_tag"]>(
  tag: Tag,
  self: Effect.Effect<A, E, R>
): Effect.Effect<Extract<E, { readonly _tag: Tag }>, Mismatch, R> =>
  Effect.matchEffect(self, {
    onSuccess: (value) =>
      Effect.fail(new Mismatch({ expected: `a refusal with ${tag}`, actual: `it succeeded with ${render(value)}` })),
    onFailure: (error) =>
      hasTag(error, tag)
        ? Effect.succeed(error)
        : Effect.fail(new Mismatch({ expected: `a refusal with ${tag}`, actual: `it failed with ${render(error)}` }))
  })

/** Runs all effects at the same time and answers what each came to, in their order. */
export const together = <A, E, R>(effects: Iterable<Effect.Effect<A, E, R>>) =>
  Effect.all([...effects].map(Effect.result), { concurrency: "unbounded" })

/** Repeats a reading until it is as wanted, and answers it; fails when that does not happen within ten seconds. */
export const eventually = Effect.fnUntraced(function* <A, E, R>(
  what: string,
  reading: Effect.Effect<A, E, R>,
  wanted: (value: A) => boolean
) {
  const start = yield* Clock.currentTimeMillis
  let value = yield* reading
  while (!wanted(value)) {
    const waited = (yield* Clock.currentTimeMillis) - start
    const actual = `after ${waited} ms there is ${render(value)}`
    if (waited > 10_000) return yield* new Mismatch({ expected: what, actual })
    yield* Effect.sleep(Duration.millis(20))
    value = yield* reading
  }
  return value
})
