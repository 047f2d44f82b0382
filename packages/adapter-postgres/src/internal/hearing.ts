// Hearing what other replicas notify, on one connection of its own, and knowing whether that works: a pooler takes a LISTEN and
// then says nothing. A connection on which nothing is heard is given up for a new one.

import { PgClient } from "@effect/sql-pg"
import { HintTopic } from "@lockkeeper/core/port/Hints"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import {
  Cause,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Layer,
  Queue,
  Random,
  type Redacted,
  Schema,
  Scope
} from "effect"
import type { SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"

/** The channel of all topics; what is said there is their names, separated by commas, or the word of a test. */
export const channel = "lockkeeper_hints"

/** What hearing needs. */
export interface HearingOptions {
  readonly directUrl: Redacted.Redacted<string>
  readonly testEvery?: Duration.Input | undefined
  /** Says something on the channel, through the pool. */
  readonly notify: (payload: string) => Effect.Effect<void, StoreError>
  /** Tells this process of a Hint. */
  readonly give: (topic: HintTopic) => Effect.Effect<void>
}

/** How long connecting, and a test, may take. */
const patience = Duration.seconds(5)

/** How long a connection that is given up may take to close before the next one is made. */
const closingPatience = Duration.seconds(1)

const firstPauseMillis = 200
const lastPauseMillis = 10_000

/**
 * Hears Hints for as long as the Scope lasts, in the background. When no connection can be made, or nothing is heard on it,
 * it is tried again, later each time; the log says so once, and once when Hints are heard again.
 */
export const hear = Effect.fnUntraced(function* (options: HearingOptions): Effect.fn.Return<void, never, Scope.Scope> {
  let known: "heard" | "unheard" | undefined
  let pauseMillis = firstPauseMillis

  const isHeard = Effect.suspend(() => {
    const isNew = known !== "heard"
    known = "heard"
    pauseMillis = firstPauseMillis
    return isNew ? Effect.logInfo("hints of other replicas are heard") : Effect.void
  })
  const isUnheard = ({ message }: Unheard) =>
    Effect.suspend(() => {
      const isNew = known !== "unheard"
      known = "unheard"
      return isNew
        ? Effect.logWarning(`hints of other replicas are not heard; polling goes on: ${message}`)
        : Effect.void
    })

  const pause = Effect.flatMap(Random.nextBetween(0.8, 1.2), (jitter) => {
    const millis = pauseMillis * jitter
    pauseMillis = Math.min(lastPauseMillis, pauseMillis * 1.5)
    return Effect.sleep(millis)
  })

  yield* withClosing(listening(options, isHeard)).pipe(
    Effect.catchCause((cause) => isUnheard(unheardOf(cause))),
    Effect.andThen(pause),
    Effect.forever,
    Effect.forkScoped
  )
})

class Unheard extends Schema.TaggedError<Unheard>()("Unheard", { message: Schema.String }) {}

/** Why nothing is heard; a defect is no reason to listen no more. */
const unheardOf = (cause: Cause.Cause<Unheard>): Unheard => {
  const error = Cause.squash(cause)
  return error instanceof Unheard ? error : new Unheard({ message: innermost(error) })
}

const notConnected = (error: SqlError.SqlError) =>
  new Unheard({ message: `the direct connection to the database: ${innermost(error)}` })

const notAnswered = Effect.fail(new Unheard({ message: "the direct connection to the database is not answered" }))

const notArrived = Effect.fail(
  new Unheard({
    message:
      "LOCKKEEPER_DIRECT_DATABASE_URL must lead to the PostgreSQL server of DATABASE_URL itself, " +
      "and what is notified does not arrive there: it leads to a transaction pooler or to another database"
  })
)

/** Listens on a connection of its own until nothing is heard on it any more. */
const listening = Effect.fnUntraced(function* (
  { directUrl, give, notify, testEvery = "10 seconds" }: HearingOptions,
  isHeard: Effect.Effect<void>
): Effect.fn.Return<never, Unheard, Scope.Scope> {
  const connecting = Layer.build(
    PgClient.layer({
      url: directUrl,
      prepare: false,
      maxConnections: 1,
      applicationName: "lockkeeper hints",
      connectTimeout: patience,
      keepAlive: "10 seconds"
    })
  )
  const client = Context.get(yield* Effect.mapError(connecting, notConnected), PgClient.PgClient)
  const notifications = yield* Effect.mapError(client.listen(channel), notConnected).pipe(
    Effect.timeoutOrElse({ duration: patience, orElse: () => notAnswered })
  )

  let isTested = false
  let awaited = { word: "", arrived: yield* Deferred.make<void>() }
  const read = Effect.flatMap(Effect.mapError(Queue.take(notifications), notConnected), ({ payload }) =>
    payload === awaited.word
      ? Deferred.succeed(awaited.arrived, undefined)
      : Effect.forEach(payload.split(",").filter(isTopic), give, { discard: true })
  )

  const test = Effect.gen(function* () {
    awaited = { word: `test ${randomBytes(12).toString("hex")}`, arrived: yield* Deferred.make<void>() }
    const sent = yield* Effect.result(notify(awaited.word))
    // A pool that is away says nothing about this connection.
    if (sent._tag === "Success") {
      yield* Effect.timeoutOrElse(Deferred.await(awaited.arrived), { duration: patience, orElse: () => notArrived })
      // What was given before may not have been heard here.
      if (!isTested) yield* Effect.forEach(HintTopic.literals, give, { discard: true })
      isTested = true
      yield* isHeard
    }
    yield* Effect.sleep(testEvery)
  })
  return yield* Effect.raceFirst(Effect.forever(read), Effect.forever(test))
})

const isTopic = Schema.is(HintTopic)

/** Runs it in a Scope of its own, whose closing is waited for only for a moment: a connection that is gone does not confirm it. */
export const withClosing = <A, E>(self: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    const close = Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const within = (part: Effect.Effect<void>) =>
        Effect.forkDetach(Effect.andThen(part, Deferred.succeed(closed, undefined)))
      yield* within(Scope.close(scope, Exit.void))
      const late = yield* within(Effect.sleep(closingPatience))
      yield* Deferred.await(closed)
      late.interruptUnsafe()
    })
    return Effect.ensuring(Scope.provide(self, scope), close)
  })

/** What the first cause of all said: it names no more of a URL than where it leads. */
export const innermost = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  if (!(error instanceof Error)) return "it cannot be said why"
  const deeper = "reason" in error && error.reason instanceof Error ? error.reason.cause : error.cause
  return deeper instanceof Error ? innermost(deeper) : error.message
}
