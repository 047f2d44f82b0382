// Hints between replicas on one PostgreSQL: they are heard, heard again when the connection is lost, and sent seldom. Where
// they cannot be heard, that is said and nothing hangs.

import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer } from "@effect/vitest"
import { Hints, HintTopic, type HintWait } from "@lockkeeper/core/port/Hints"
import { HintsContract } from "@lockkeeper/core/testing/HintsContract"
import { Clock, Context, Duration, Effect, Fiber, Layer, Logger, Queue, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { readdirSync, readFileSync } from "node:fs"
import { describeWith } from "../../../test/harness/capability.ts"
import * as Database from "../../../test/harness/database.ts"
import { TestDatabase } from "../../../test/harness/database.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { pgbouncer } from "../../../test/harness/pgbouncer.ts"
import { postgresProxy } from "../../../test/harness/postgresProxy.ts"
import { channel } from "../src/internal/hearing.ts"
import { layerClient } from "../src/layer.ts"
import * as PostgresHints from "../src/PostgresHints.ts"

interface Options {
  readonly url?: Redacted.Redacted<string>
  readonly directUrl?: Redacted.Redacted<string>
  readonly testEvery?: Duration.Input
}

/** A replica's Hints over a pool of its own, and what it has logged. */
const replica = Effect.fnUntraced(function* (options: Options = {}) {
  const { url } = yield* TestDatabase
  const said: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => void said.push([message].flat().map(String).join(" ")))])
  const layerHints = PostgresHints.layer({ directUrl: url, ...options }).pipe(
    Layer.provide(layerClient({ url: options.url ?? url, maxConnections: 2 })),
    Layer.provide(logger)
  )
  const hints = Context.get(yield* Layer.build(Layer.fresh(layerHints)), Hints)
  const says = (text: string, times = 1) =>
    eventually(
      `it says: ${text}`,
      Effect.sync(() => said.filter((line) => line.includes(text)).length),
      (count) => count >= times
    )
  return { hints, said, says, isHeard: says("are heard") }
})

/** Waits and answers whether it was for a Hint, and not until the time was over. */
const hears = (wait: HintWait, atMost: Duration.Input = "5 seconds") =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    yield* wait(atMost)
    return (yield* Clock.currentTimeMillis) - start < Duration.toMillis(atMost) - 5
  })

/** Waits until nothing is heard for a while. */
const quiet = (wait: HintWait) => Effect.repeat(hears(wait, "200 millis"), { while: (heard) => heard })

const isolated = <A, E>(
  name: string,
  test: () => Effect.Effect<A, E, TestDatabase | SqlClient.SqlClient | Scope.Scope>,
  timeout = 60_000
) =>
  it.live(
    name,
    () => {
      const client = Layer.unwrap(Effect.map(TestDatabase, ({ url }) => layerClient({ url, maxConnections: 4 })))
      return Effect.provide(test(), Layer.provideMerge(client, Database.layer))
    },
    timeout
  )

/** The Hints that one replica gives and another one hears. */
const acrossReplicas = Layer.effect(
  Hints,
  Effect.gen(function* () {
    const [one, other] = [yield* replica(), yield* replica()]
    yield* one.isHeard
    yield* other.isHeard
    return Hints.of({ give: one.hints.give, listen: other.hints.listen })
  })
).pipe(Layer.provide(Database.layer))

layer(acrossReplicas, { excludeTestServices: true })("hints from one replica to another", (it) => {
  it.effect.each(HintsContract)("$id $law", ({ run }) => run, 60_000)
})

/** The sessions that listen. */
const listeners = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`select pid from pg_stat_activity
    where datname = current_database() and application_name = 'lockkeeper hints'`
)

/** Ends every session that listens. */
const endListeners = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const ended = yield* sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'lockkeeper hints'`
  return ended.length
})

describe("a replica whose listening connection is ended", () => {
  isolated("hears again, and is hinted at every topic then, as something may have been missed", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* replica(), yield* replica()]
      yield* one.isHeard
      yield* other.isHeard
      const waits = yield* Effect.forEach(HintTopic.literals, (topic) => other.hints.listen(topic))
      yield* Effect.forEach(waits, quiet)
      assert.strictEqual(yield* endListeners, 2)
      const all = yield* Effect.forEach(waits, (wait) => hears(wait), { concurrency: "unbounded" })
      assert.notInclude(all, false)
      yield* other.says("are heard", 2)
      const [wait] = waits
      if (wait === undefined) return assert.fail("a topic")
      yield* quiet(wait)
      yield* one.hints.give("deployments")
      assert.isTrue(yield* hears(wait))
      assert.lengthOf(
        other.said.filter((line) => line.includes("not heard")),
        1
      )
    })
  )
})

describe("a replica whose listening connection is half open", () => {
  isolated("finds that out by itself and hears again on a new one, and closing it hangs nowhere", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const proxy = yield* postgresProxy(url)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [one, other] = [yield* replica(), yield* replica({ directUrl: proxy.url, testEvery: "200 millis" })]
          yield* other.isHeard
          const wait = yield* other.hints.listen("stops")
          yield* proxy.halve("server")
          yield* other.says("what is notified does not arrive")
          yield* other.says("are heard", 2)
          yield* quiet(wait)
          yield* one.hints.give("stops")
          assert.isTrue(yield* hears(wait))
          yield* proxy.stall
        })
      ).pipe(Effect.timeout("30 seconds"))
    })
  )
})

describe("a replica whose direct database is away", () => {
  isolated("is there at once, hears itself, says so without the password, and goes on trying", () =>
    Effect.gen(function* () {
      const nowhere = Redacted.make("postgres://lockkeeper:correct-horse@127.0.0.1:9/lockkeeper")
      const { hints, said, says } = yield* replica({ directUrl: nowhere })
      const wait = yield* hints.listen("stops")
      yield* hints.give("stops")
      assert.isTrue(yield* hears(wait))
      yield* says("polling goes on: the direct connection to the database: connect ECONNREFUSED 127.0.0.1:9")
      yield* Effect.sleep("1 second")
      assert.lengthOf(said, 1)
      assert.notInclude(said.join(), "correct-horse")
    })
  )

  isolated("hears others as soon as it is there", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const proxy = yield* postgresProxy(url)
      yield* proxy.stall
      const [one, other] = [yield* replica(), yield* replica({ directUrl: proxy.url })]
      yield* other.says("are not heard")
      const wait = yield* other.hints.listen("apps")
      yield* proxy.resume
      yield* other.isHeard
      yield* quiet(wait)
      yield* one.hints.give("apps")
      assert.isTrue(yield* hears(wait))
    })
  )
})

describe("a replica whose pool is away", () => {
  isolated("gives hints at once and goes on when the pool is back", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const proxy = yield* postgresProxy(url)
      const [one, other] = [yield* replica({ url: proxy.url }), yield* replica()]
      yield* one.isHeard
      yield* other.isHeard
      const [own, wait] = [yield* one.hints.listen("stops"), yield* other.hints.listen("stops")]
      yield* quiet(wait)
      yield* proxy.stall
      const start = yield* Clock.currentTimeMillis
      yield* Effect.repeat(one.hints.give("stops"), { times: 99 })
      assert.isBelow((yield* Clock.currentTimeMillis) - start, 1_000)
      assert.isTrue(yield* hears(own))
      yield* proxy.resume
      const given = yield* Effect.forkChild(Effect.forever(Effect.andThen(one.hints.give("stops"), Effect.sleep(100))))
      assert.isTrue(yield* hears(wait, "20 seconds"))
      yield* Fiber.interrupt(given)
    })
  )
})

describeWith("pgbouncer")("K11: a replica whose direct URL leads to a pooler", () => {
  isolated("says what to set, does not say so again and again, and hears itself; its stores go on", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const pooled = (yield* pgbouncer(url, 2)).url
      const [one, other] = [yield* replica({ url: pooled }), yield* replica({ url: pooled, directUrl: pooled })]
      yield* one.isHeard
      yield* other.says("LOCKKEEPER_DIRECT_DATABASE_URL must lead to the PostgreSQL server of DATABASE_URL itself")
      const wait = yield* other.hints.listen("stops")
      yield* quiet(wait)
      yield* one.hints.give("stops")
      assert.isFalse(yield* hears(wait, "1 second"))
      yield* other.hints.give("stops")
      assert.isTrue(yield* hears(wait))
      yield* Effect.sleep("8 seconds")
      assert.lengthOf(other.said, 1)

      const heard = yield* one.hints.listen("events")
      yield* quiet(heard)
      yield* other.hints.give("events")
      assert.isTrue(yield* hears(heard))
    })
  )

  isolated("says the same when it leads to another database", () =>
    Effect.gen(function* () {
      const elsewhere = yield* Database.make
      const { says } = yield* replica({ directUrl: elsewhere.url })
      yield* says("it leads to a transaction pooler or to another database")
    })
  )
})

/** Everything that is said on the channel from now on. */
const overheard = Effect.gen(function* () {
  const { url } = yield* TestDatabase
  const client = Context.get(yield* Layer.build(layerClient({ url, maxConnections: 1 })), PgClient.PgClient)
  const queue = yield* client.listen(channel)
  const heard: Array<string> = []
  yield* Queue.take(queue).pipe(
    Effect.map(({ payload }) => void (payload.startsWith("test ") || heard.push(payload))),
    Effect.forever,
    Effect.forkScoped
  )
  return heard
})

describe("what is sent", () => {
  isolated("is sent together: of thousands of hints within moments, all topics once every twenty milliseconds", () =>
    Effect.gen(function* () {
      const { hints, isHeard } = yield* replica()
      yield* isHeard
      const heard = yield* overheard
      const start = yield* Clock.currentTimeMillis
      for (let turn = 0; turn < 100; turn++) {
        yield* Effect.forEach(HintTopic.literals, (topic) => Effect.repeat(hints.give(topic), { times: 9 }))
        yield* Effect.sleep("1 millis")
      }
      const millis = (yield* Clock.currentTimeMillis) - start
      yield* Effect.sleep("200 millis")
      assert.isAbove(heard.length, 1)
      assert.isAtMost(heard.length, millis / 20 + 2)
      assert.include(heard, HintTopic.literals.join(","))
    })
  )

  isolated("and is not lost when the replica stops, which leaves no session", () =>
    Effect.gen(function* () {
      const heard = yield* overheard
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { hints, isHeard } = yield* replica()
          yield* isHeard
          yield* hints.give("stops")
          yield* Effect.sleep("5 millis")
          yield* hints.give("apps")
        })
      )
      yield* eventually(
        "both are heard",
        Effect.sync(() => heard.join(",").split(",")),
        (topics) => topics.includes("stops") && topics.includes("apps")
      )
      yield* eventually("nobody listens", listeners, (rows) => rows.length === 0)
    })
  )

  it("is sent by nobody else: no transaction of a store and no trigger notifies", () => {
    const source = new URL("../src/", import.meta.url)
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"))
    const senders = files.filter((name) => /notify/i.test(readFileSync(new URL(name, source), "utf8")))
    // The doctor sends a word of its own on a channel of its own, to see whether it is heard.
    assert.deepStrictEqual(senders.sort(), ["PostgresDoctor.ts", "PostgresHints.ts", "internal/hearing.ts"])
    assert.notMatch(readFileSync(new URL("../schema.sql", import.meta.url), "utf8"), /notify/i)
  })
})
