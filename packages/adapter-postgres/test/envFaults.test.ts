// One statement of a change of an Env goes wrong, whichever: before the server hears of it, after it is done with its answer
// lost, or because the server refuses it. The change is done once or not at all, its caller is told which, and who shares a
// flush with it notices nothing.

import { assert, layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { replayed } from "../../../test/harness/envReplay.ts"
import { soak } from "../../../test/harness/sample.ts"
import { type EnvWay, envWays, free, onWay, type Replica, reviseOnWay } from "./support/envWays.ts"
import { isCommit, isWrite, nothingIsLeft, proxied } from "./support/proxied.ts"
import { stores } from "./support/stores.ts"

/** The App whose change a way is tried with, and two that share a flush with it or come before. */
const given = Effect.fnUntraced(function* (way: EnvWay, own: Replica, other: Replica) {
  const [victim, neighbour] = [yield* onWay(way, own, other), yield* onWay(free, own, other)]
  return { victim, neighbour, first: yield* onWay(free, own, other) }
})

/** The first change goes alone; what comes meanwhile goes together. */
const changes = (way: EnvWay, { first, neighbour, victim }: Effect.Success<ReturnType<typeof given>>, own: Replica) =>
  Effect.all(
    [reviseOnWay(free, first, own), reviseOnWay(way, victim, own), reviseOnWay(free, neighbour, own)].map(
      Effect.result
    ),
    { concurrency: "unbounded" }
  )

type Told = Effect.Success<ReturnType<typeof changes>>[number]

/** Fails unless a change is there once when its caller was told so, and is not there when it was told that it failed. */
const isHonest = Effect.fnUntraced(function* (app: App, told: Told | undefined, way: EnvWay) {
  const { texts } = yield* replayed(app.id)
  const env: Readonly<Record<string, string>> = JSON.parse(texts.at(-1) ?? "")
  const [key = ""] = Object.keys(way.change ?? { CHANGED: "1" })
  const isExpected = told !== undefined && (Result.isSuccess(told) || way.change !== undefined)
  const before = way.before.length
  assert.deepStrictEqual(
    [key in env, texts.length - 1],
    [isExpected, before + (isExpected && way.change === undefined ? 1 : 0)]
  )
  if (told !== undefined && Result.isSuccess(told)) assert.strictEqual(Number(told.success.revision), texts.length - 1)
  if (told !== undefined && Result.isFailure(told)) assert.strictEqual(told.failure._tag, "StoreError")
})

/** Whether everything works: a change of each App at once, for which there are more Apps than connections. */
const works = Effect.fnUntraced(function* (apps: ReadonlyArray<App>, own: Replica) {
  const again = apps.map((app) => Effect.provideContext(Given.revised(app, { AFTER: "1" }), own))
  yield* Effect.timeout(Effect.all(again, { concurrency: "unbounded" }), "2 seconds")
})

/** A chosen statement, however often it is tried. */
const from = (index: number) => (statement: string, before: number) => before >= index && statement !== ""

const brief = (statement: string): string => statement.replaceAll(/\s+/g, " ").slice(0, 50)

/** Does what is to be done to one statement after the other; fails when somebody is told something else than what is true. */
const ofWay = Effect.fnUntraced(function* (way: EnvWay, fault: "unsent" | "refused" | "unanswered") {
  const { other, own, proxy } = yield* proxied
  const usual = yield* given(way, own, other)
  yield* proxy.strike()
  yield* changes(way, usual, own)
  const count = proxy.statements().length
  const tried: Array<string> = []
  for (let index = 0; index < count; index++) {
    const apps = yield* given(way, own, other)
    // What refuses a COMMIT ends the transaction, which a mistake in its text does not.
    yield* proxy.strike([
      fault,
      (statement, before) => from(index)(statement, before) && !(fault === "refused" && isCommit(statement))
    ])
    const outcomes = yield* changes(way, apps, own)
    const [statement] = proxy.struck()
    yield* proxy.strike()
    if (statement === undefined) break
    const failed = outcomes.filter(Result.isFailure).length
    tried.push(`${failed === 0 ? "done" : "told"}: ${brief(statement)}`)
    assert.isAtMost(failed, 1, `who shared a flush was hurt by ${statement}`)
    if (fault !== "refused" && (isWrite(statement) || isCommit(statement))) {
      assert.strictEqual(failed, 0, `what became of ${statement} was not found out`)
    }
    yield* isHonest(apps.first, outcomes[0], free)
    yield* isHonest(apps.victim, outcomes[1], way)
    yield* isHonest(apps.neighbour, outcomes[2], free)
    yield* nothingIsLeft
    yield* works([apps.first, apps.victim, apps.neighbour], own)
  }
  return tried
})

layer(stores(), { excludeTestServices: true })("a change of an Env of which one statement goes wrong", (it) => {
  for (const way of envWays) {
    for (const fault of ["unsent", "refused", "unanswered"] as const) {
      it.effect(
        `E9 INV-5: whichever it is, on the ${way.name} way, ${fault}: it is done once or told to have failed`,
        () =>
          Effect.gen(function* () {
            const tried = yield* ofWay(way, fault)
            soak.count("statements of changes of Envs that went wrong", { [`${way.name}, ${fault}`]: tried.length })
            const writes = tried.filter((line) => line.includes("with wanted"))
            assert.isNotEmpty(writes)
            assert.strictEqual(tried.length > writes.length, way.name !== "free")
          })
      )
    }
  }

  for (const fault of ["unsent", "unanswered"] as const) {
    it.effect(
      `E9: whichever statement goes wrong that finds out what became of a write which was ${fault}: it is found out`,
      () =>
        Effect.gen(function* () {
          const { other, own, proxy } = yield* proxied
          let index = 0
          for (; ; index++) {
            const app = yield* onWay(free, own, other)
            yield* proxy.strike(
              [fault, isWrite],
              [index % 2 === 0 ? "unsent" : "unanswered", from(Math.floor(index / 2))]
            )
            const told = yield* Effect.result(reviseOnWay(free, app, own))
            const struck = proxy.struck()
            yield* proxy.strike()
            if (struck.length < 2) break
            assert.isTrue(Result.isSuccess(told), struck.map(brief).join())
            yield* isHonest(app, told, free)
            yield* nothingIsLeft
            yield* works([app], own)
          }
          assert.isAtLeast(index, 6)
        })
    )
  }

  it.effect(
    "E9 INV-5: what the server refuses of one Env alone is told there, and everybody in its flush is served",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { other, own } = yield* proxied
        for (const [table, what] of [
          ["env_changes", "new.app"],
          ["events", "new.app"],
          ["apps", "new.id"]
        ] as const) {
          const apps = yield* given(free, own, other)
          yield* sql.unsafe(`create or replace function refused() returns trigger language plpgsql as
          'begin if ${what} = ''${apps.victim.id}'' then raise ''not this one''; end if; return new; end'`)
          yield* sql.unsafe(
            `create trigger refused before insert or update on ${table} for each row execute function refused()`
          )
          const [first, victim, neighbour] = yield* changes(free, apps, own)
          yield* sql.unsafe(`drop trigger refused on ${table}`)
          assert.isTrue(first !== undefined && Result.isSuccess(first))
          assert.isTrue(neighbour !== undefined && Result.isSuccess(neighbour))
          assert.isTrue(victim !== undefined && Result.isFailure(victim))
          yield* isHonest(apps.first, first, free)
          yield* isHonest(apps.victim, victim, free)
          yield* isHonest(apps.neighbour, neighbour, free)
          yield* works([apps.first, apps.victim, apps.neighbour], own)
        }
      })
  )
})
