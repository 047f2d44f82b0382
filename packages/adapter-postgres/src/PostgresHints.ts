// Hints between replicas by LISTEN and NOTIFY. They are sent through the pool, which may be behind a transaction pooler, and
// heard on one connection of their own to the server itself. Where that does not work, whoever waits polls.

import { Hints, type HintTopic } from "@lockkeeper/core/port/Hints"
import { Duration, Effect, Layer, Queue, type Redacted, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { database } from "./internal/Database.ts"
import { channel, hear } from "./internal/hearing.ts"

/** Where Hints are heard, and how often it is tested that they are; every ten seconds unless told otherwise. */
export interface PostgresHintsOptions {
  /** The PostgreSQL server itself, without a transaction pooler in between. */
  readonly directUrl: Redacted.Redacted<string>
  readonly testEvery?: Duration.Input | undefined
}

/** No replica sends more often than this, however many Hints are given. */
const spacing = "20 millis"

/** How long sending may take. What is given meanwhile is sent together afterwards. */
const patience = Duration.seconds(2)

/**
 * Makes Hints that other replicas hear and those of others are heard by. Within this process they are heard at once; to
 * others they are sent after it, together, in a statement of their own. It is there at once, also while no database is, and
 * says in the log when Hints of others are not heard, and when they are again. A Hint of every topic is given then.
 */
export const make = Effect.fnUntraced(function* (
  options: PostgresHintsOptions
): Effect.fn.Return<Hints["Service"], never, SqlClient.SqlClient | Scope.Scope> {
  const db = yield* database
  const local = yield* Hints.makeMemory
  const unsent = new Set<HintTopic>()
  const toSend = yield* Queue.make<void>({ capacity: 1, strategy: "sliding" })

  const notify = (payload: string) =>
    db.statement<void>("Hints.give", Effect.asVoid(db.sql`select pg_notify(${channel}, ${payload})`), patience)

  const send = Effect.suspend(() => {
    if (unsent.size === 0) return Effect.void
    const payload = [...unsent].join(",")
    unsent.clear()
    return Effect.catchCause(notify(payload), (cause) => Effect.logDebug("a hint was not sent", cause))
  }).pipe(Effect.uninterruptible)

  yield* Effect.addFinalizer(() => send)
  yield* Queue.take(toSend).pipe(
    Effect.andThen(send),
    Effect.andThen(Effect.sleep(spacing)),
    Effect.forever,
    Effect.forkScoped
  )
  yield* hear({ ...options, notify, give: local.give })

  return Hints.of({
    give: (topic) =>
      Effect.andThen(
        local.give(topic),
        Effect.suspend(() => {
          unsent.add(topic)
          return Effect.asVoid(Queue.offer(toSend, undefined))
        })
      ),
    listen: local.listen
  })
})

/** Provides the Hints. */
export const layer = (options: PostgresHintsOptions): Layer.Layer<Hints, never, SqlClient.SqlClient> =>
  Layer.effect(Hints, make(options))
