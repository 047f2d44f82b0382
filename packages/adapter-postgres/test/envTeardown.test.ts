// An App ends while its Env is changed, whichever way the change takes and wherever it stands: what is acknowledged was there
// before, and after that nothing of the Env changes.

import { assert, layer } from "@effect/vitest"
import type { App, AppStatus } from "@lockkeeper/core/domain/App"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { type FailpointReaction, Failpoints } from "@lockkeeper/core/port/failpoint"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { makeHold } from "@lockkeeper/core/testing/Reaction"
import { Effect, Fiber, Result } from "effect"
import { SqlClient } from "effect/sql"
import { replayed } from "../../../test/harness/envReplay.ts"
import { soak } from "../../../test/harness/sample.ts"
import { type EnvWay, envWays, onWay, type Replica, reviseOnWay } from "./support/envWays.ts"
import { opened, putStatus, replicas, stores } from "./support/stores.ts"

const refusals = { deleting: "AppNotLive", expired: "AppNotLive", deleted: "AppGone" } as const

type Ending = keyof typeof refusals

const endings: ReadonlyArray<Ending> = ["deleting", "expired", "deleted"]

const tagOf = <A, E extends { readonly _tag: string }>(result: Result.Result<A, E>): string =>
  Result.isSuccess(result) ? "Success" : result.failure._tag

/** What is stored of an App's Env. */
const storedOf = Effect.fnUntraced(function* ({ id }: App) {
  const sql = yield* SqlClient.SqlClient
  return yield* sql`select a.env_revision, a.env_bytes, (select max(last) from env_changes where app = a.id) as last,
      (select max(revision) from env_snapshots where app = a.id) as whole,
      (select count(*)::int from events where app = a.id and type = 'env.changed') as events
    from apps a where id = ${id}`
})

/** Changes an Env and stops before the nth call of the database; undefined when there are not that many. */
const stoppedAt = Effect.fnUntraced(function* (nth: number, way: EnvWay, app: App, own: Replica, meanwhile: AppStatus) {
  const hold = yield* makeHold
  let calls = 0
  const react: FailpointReaction = (_point, effect, refuse) =>
    Effect.suspend(() => (++calls === nth ? hold.before(effect, refuse) : effect))
  // Whoever changed an Env last still ends its flush, and what comes meanwhile would be flushed in its name.
  yield* Effect.sleep("5 millis")
  const revise = Effect.result(Effect.provideService(reviseOnWay(way, app, own), Failpoints, react))
  const revising = yield* Effect.forkChild(revise)
  yield* Effect.raceFirst(hold.reached, Fiber.await(revising))
  if (calls < nth) return yield* Effect.as(Fiber.join(revising), undefined)
  yield* putStatus(app.id, meanwhile)
  yield* hold.release
  return yield* Fiber.join(revising)
})

layer(stores(), { excludeTestServices: true })("while the Env of an App is changed", (it) => {
  it.effect("E8: that is deleted then, all that is asked about it is answered as if there had never been one", () =>
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const { revision } = yield* Given.revised(app, { A: "1" })
      yield* putStatus(app.id, "deleted")
      const asked = [
        Effect.asVoid(envs.read(app.id)),
        Effect.asVoid(envs.readAt(app.id, revision)),
        Effect.asVoid(envs.history(app.id, { limit: 1 }))
      ]
      const answers = yield* Effect.forEach(asked, (answer) => Effect.map(Effect.flip(answer), ({ _tag }) => _tag))
      assert.deepStrictEqual(answers, ["AppGone", "AppGone", "AppGone"])
    })
  )

  for (const way of envWays) {
    it.effect(
      `E5 E8 INV-6: on the ${way.name} way, before whichever call, it ends: nothing is changed, and that is told`,
      () =>
        Effect.gen(function* () {
          const [own, other] = yield* replicas()
          for (const status of endings) {
            let nth = 1
            for (; ; nth++) {
              const app = yield* onWay(way, own, other)
              const before = yield* storedOf(app)
              const told = yield* stoppedAt(nth, way, app, own, status)
              if (told === undefined) break
              assert.strictEqual(tagOf(told), refusals[status], `${status} before call ${nth}`)
              assert.deepStrictEqual(yield* storedOf(app), before)
              assert.strictEqual(tagOf(yield* Effect.result(reviseOnWay(way, app, own))), refusals[status])
            }
            assert.isAbove(nth, 1)
          }
        })
    )

    it.effect(`E5: on the ${way.name} way, before whichever call, it is stopped: the change is made all the same`, () =>
      Effect.gen(function* () {
        const [own, other] = yield* replicas()
        for (let nth = 1; ; nth++) {
          const app = yield* onWay(way, own, other)
          const told = yield* stoppedAt(nth, way, app, own, "stopped")
          if (told === undefined) break
          assert.strictEqual(tagOf(told), "Success")
          yield* replayed(app.id)
        }
      })
    )

    it.effect(
      `E5 INV-6: on the ${way.name} way, somebody is about to end it: what is decided is what comes of that`,
      () =>
        Effect.gen(function* () {
          const [own, other] = yield* replicas()
          const sql = yield* SqlClient.SqlClient
          for (const [status, ends] of [
            ["deleting", true],
            ["expired", false],
            ["deleted", true]
          ] as const) {
            const app = yield* onWay(way, own, other)
            const before = yield* storedOf(app)
            const commit = yield* opened(putStatus(app.id, ends ? status : "live"))
            const revising = yield* Effect.forkChild(Effect.result(reviseOnWay(way, app, own)))
            const waiters = sql`select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
            const isSettled = Effect.map(waiters, (rows) => rows.length > 0 || revising.pollUnsafe() !== undefined)
            yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => isSettled })
            yield* commit
            const told = yield* Fiber.join(revising)
            const isUnchanged = way.name === "unchanged"
            assert.strictEqual(tagOf(told), ends && !isUnchanged ? refusals[status] : "Success")
            if (ends) assert.deepStrictEqual(yield* storedOf(app), before)
            else yield* replayed(app.id)
          }
        })
    )
  }

  it.effect(
    "E5 INV-6: of two hundred that race with its end, each acknowledged change was made before, and none after",
    () =>
      Effect.gen(function* () {
        const [own, other] = yield* replicas()
        const sql = yield* SqlClient.SqlClient
        const counts = { acknowledged: 0, refused: 0 }
        const race = Effect.fnUntraced(function* (index: number) {
          const way = envWays[index % envWays.length] ?? assert.fail("a way")
          const status = endings[index % endings.length] ?? "deleting"
          const app = yield* onWay(way, own, other)
          // The time is taken while the row is held, as that of a change is.
          const end = sql<{ readonly at: string }>`update apps set status = ${status} where id = ${app.id}
          returning clock_timestamp()::text as at`
          const delay = Effect.sleep((index * 7) % 11)
          const [told, [ended]] = yield* Effect.all(
            [Effect.result(reviseOnWay(way, app, own)), Effect.andThen(delay, end)],
            {
              concurrency: 2
            }
          )
          const after = yield* sql`select first from env_changes
          where app = ${app.id} and at > ${ended?.at ?? ""}::timestamptz`
          assert.deepStrictEqual(after, [], "a change after the end")
          const [row] = yield* sql<{
            readonly revision: number
          }>`select env_revision as revision from apps where id = ${app.id}`
          const made = (row?.revision ?? 0) - way.before.length
          if (Result.isFailure(told)) {
            counts.refused += 1
            assert.deepStrictEqual([told.failure._tag, made], [refusals[status], 0])
          } else {
            counts.acknowledged += 1
            assert.strictEqual(made, told.success.applied.changed ? 1 : 0)
          }
        })
        yield* Effect.forEach(Array.from({ length: soak.many(200, 2_000) }).keys(), race, {
          concurrency: 8,
          discard: true
        })
        soak.count("Envs changed while their Apps end", counts)
        assert.isAbove(counts.acknowledged, 20)
        assert.isAbove(counts.refused, 20)
      })
  )
})
