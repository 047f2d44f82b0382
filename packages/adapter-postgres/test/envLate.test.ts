// What became of a write is not known in time, or the write arrives when everybody has given it up. Nobody is told that
// nothing was done when it may be, and what arrives late changes nothing that anybody was told.

import { assert, layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { type FailpointReaction, Failpoints } from "@lockkeeper/core/port/failpoint"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { makeHold } from "@lockkeeper/core/testing/Reaction"
import { Duration, Effect, Fiber, Result } from "effect"
import { SqlClient } from "effect/sql"
import { replayed } from "../../../test/harness/envReplay.ts"
import { free, held, onWay, type Replica, reviseOnWay } from "./support/envWays.ts"
import { isCommit, isWrite, nothingIsLeft, proxied } from "./support/proxied.ts"
import { opened, putStatus, stores, waiting } from "./support/stores.ts"

/** A change that was not settled: its caller hears so in time, and not that nothing was done. */
const isUnknown = Effect.fnUntraced(function* <A, E, R>(change: Effect.Effect<A, E, R>) {
  const [took, told] = yield* Effect.timed(Effect.result(change))
  assert.isBelow(Duration.toMillis(took), 4_500)
  if (Result.isSuccess(told)) return assert.fail("it was settled")
  const { failure } = told
  assert.isTrue(failure instanceof StoreError && failure.reason === "unavailable", String(failure))
})

const revisionsOf = (app: App) => Effect.map(replayed(app.id), ({ texts }) => texts.slice(1))

const next = (app: App, own: Replica) => Effect.provideContext(Given.revised(app, { NEXT: "1" }), own)

const edit = (app: App, own: Replica, entries: Readonly<Record<string, string | null>>, patience: number) => {
  const decide = () => Result.succeed(Given.changeOf(entries))
  const revise = Effect.flatMap(EnvStore, (envs) =>
    envs.revise({ app: app.id, actor: "late", patience: Duration.millis(patience), decide })
  )
  return Effect.result(Effect.provideContext(revise, own))
}

/** Stops this call of the database, which is the one that finds out what became of the one before. */
const stopped = Effect.fnUntraced(function* (nth: number) {
  // Whoever changed an Env last still ends its flush, and what comes meanwhile would be flushed in its name.
  yield* Effect.sleep("20 millis")
  const hold = yield* makeHold
  let calls = 0
  const react: FailpointReaction = (_point, effect, refuse) =>
    Effect.suspend(() => (++calls === nth ? hold.before(effect, refuse) : effect))
  const at = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.provideService(self, Failpoints, react)
  return { at, reached: hold.reached, release: hold.release }
})

const rowOf = (app: App) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => opened(sql`select 1 from apps where id = ${app.id} for update`))

layer(stores(), { excludeTestServices: true })("a write of an Env", (it) => {
  it.effect("E9 INV-5: that arrives after it was found not to be done, and was done again, changes nothing", () =>
    Effect.gen(function* () {
      const { other, own, proxy } = yield* proxied
      const app = yield* onWay(free, own, other)
      yield* proxy.strike(["late", isWrite])
      const { revision } = yield* reviseOnWay(free, app, own)
      const before = yield* revisionsOf(app)
      assert.strictEqual(yield* proxy.deliver, 1)
      assert.deepStrictEqual(yield* revisionsOf(app), before)
      assert.deepStrictEqual([Number(revision), before.length], [2, 2])
      assert.strictEqual(Number((yield* next(app, own)).revision), 3)
      yield* nothingIsLeft
    })
  )

  it.effect(
    "E9 E5: that was done and not answered is told as done, though its App is deleted before anybody looks",
    () =>
      Effect.gen(function* () {
        const { other, own, proxy } = yield* proxied
        const app = yield* onWay(free, own, other)
        const { at, reached, release } = yield* stopped(2)
        yield* proxy.strike(["unanswered", isWrite])
        const changing = yield* Effect.forkChild(at(reviseOnWay(free, app, own)))
        yield* reached
        yield* putStatus(app.id, "deleted")
        yield* release
        assert.strictEqual(Number((yield* Fiber.join(changing)).revision), 2)
        yield* nothingIsLeft
      })
  )

  it.effect(
    "E9: that arrives after its caller was told that it is unknown is there then, and all goes on from it",
    () =>
      Effect.gen(function* () {
        const { other, own, proxy } = yield* proxied
        const app = yield* onWay(free, own, other)
        yield* proxy.strike(["late", isWrite])
        const look = yield* stopped(2)
        const changing = yield* Effect.forkChild(isUnknown(look.at(reviseOnWay(free, app, own))))
        yield* Effect.raceFirst(look.reached, Fiber.join(changing))
        const release = yield* rowOf(app)
        yield* look.release
        yield* Fiber.join(changing)
        yield* release
        assert.strictEqual(yield* proxy.deliver, 1)
        assert.strictEqual((yield* revisionsOf(app)).length, 2)
        assert.strictEqual(Number((yield* next(app, own)).revision), 3)
        yield* nothingIsLeft
      })
  )

  for (const fault of ["unsent", "unanswered"] as const) {
    it.effect(`E9 INV-5: of several changes of one key, which was ${fault}, is there once, each at its Revision`, () =>
      Effect.gen(function* () {
        const { other, own, proxy } = yield* proxied
        const app = yield* onWay(free, own, other)
        // Else all of them would go with the end of the flush before.
        yield* Effect.sleep("20 millis")
        yield* proxy.strike([fault, (statement, before) => isWrite(statement) && before > 0])
        const told = yield* Effect.all(
          ["0", "1", "2", "1"].map((value) => edit(app, own, { A: value }, 3_000)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(proxy.struck().length, 1)
        const outcomes = told.map((one) =>
          Result.isSuccess(one) ? [Number(one.success.revision), one.success.applied.changed] : one
        )
        assert.deepStrictEqual(outcomes, [
          [2, true],
          [3, true],
          [4, true],
          [5, true]
        ])
        assert.strictEqual((yield* revisionsOf(app)).length, 5)
      })
    )
  }

  for (const [fault, lands] of [
    ["unsent", 1],
    ["unanswered", 2]
  ] as const) {
    it.effect(`E6 E9: that was ${fault}, and nobody can look since somebody holds the App, is not told as busy`, () =>
      Effect.gen(function* () {
        const { other, own, proxy } = yield* proxied
        const app = yield* onWay(free, own, other)
        yield* proxy.strike([fault, isWrite])
        const look = yield* stopped(2)
        const changing = yield* Effect.forkChild(isUnknown(look.at(reviseOnWay(free, app, own))))
        yield* Effect.raceFirst(look.reached, Fiber.join(changing))
        const release = yield* rowOf(app)
        yield* look.release
        yield* Fiber.join(changing)
        yield* release
        assert.strictEqual((yield* revisionsOf(app)).length, lands)
        assert.strictEqual(Number((yield* next(app, own)).revision), lands + 1)
        yield* nothingIsLeft
      })
    )

    it.effect(`E9: that was ${fault}, and the database is away then, is told as unknown`, () =>
      Effect.gen(function* () {
        const { other, own, proxy } = yield* proxied
        const app = yield* onWay(free, own, other)
        yield* proxy.strike([fault, isWrite])
        const look = yield* stopped(2)
        const changing = yield* Effect.forkChild(isUnknown(look.at(reviseOnWay(free, app, own))))
        yield* Effect.raceFirst(look.reached, Fiber.join(changing))
        yield* proxy.drop
        yield* look.release
        yield* Fiber.join(changing)
        yield* proxy.resume
        assert.strictEqual((yield* revisionsOf(app)).length, lands)
        assert.strictEqual(Number((yield* next(app, own)).revision), lands + 1)
        yield* nothingIsLeft
      })
    )
  }

  it.effect("E9: whose COMMIT arrives when its caller has given up is there then, and was not told to be undone", () =>
    Effect.gen(function* () {
      const { other, own, proxy } = yield* proxied
      const app = yield* onWay(held, own, other)
      yield* proxy.strike(["late", isCommit])
      yield* isUnknown(reviseOnWay(held, app, own))
      assert.strictEqual(yield* proxy.deliver, 1)
      assert.strictEqual((yield* revisionsOf(app)).length, 4)
      assert.strictEqual(Number((yield* next(app, own)).revision), 5)
      yield* nothingIsLeft
    })
  )

  it.effect("E9 INV-5: of which a part was told to change nothing, changes nothing when all of it arrives", () =>
    Effect.gen(function* () {
      const { other, own, proxy } = yield* proxied
      const app = yield* onWay(free, own, other)
      const sql = yield* SqlClient.SqlClient
      yield* proxy.strike(["late", (statement, before) => isWrite(statement) && before > 0])
      const look = yield* stopped(3)
      const all = Effect.all(
        [edit(app, own, { Z: "0" }, 3_000), edit(app, own, { A: "1" }, 2_300), edit(app, own, { A: null }, 3_000)],
        { concurrency: "unbounded" }
      )
      const changing = yield* Effect.forkChild(look.at(all))
      yield* Effect.raceFirst(look.reached, Fiber.join(changing))
      const release = yield* rowOf(app)
      yield* look.release
      const [waiter] = yield* waiting(1)
      yield* Effect.sleep("400 millis")
      yield* sql`select pg_terminate_backend(${waiter?.pid ?? 0})`
      yield* Effect.sleep("5 millis")
      yield* release
      const [, set, unset] = yield* Fiber.join(changing)
      const before = yield* revisionsOf(app)
      assert.isTrue(Result.isFailure(set))
      assert.strictEqual(yield* proxy.deliver, 1)
      const after = yield* revisionsOf(app)
      if (Result.isSuccess(unset)) assert.deepStrictEqual(after, before)
      else assert.strictEqual(after.length, before.length + 2)
      yield* nothingIsLeft
    })
  )
})
