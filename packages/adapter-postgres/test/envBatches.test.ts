// Changes that are written together: each is decided on what those before it left and has an outcome of its own, a batch is
// bounded, and who comes when too many wait is refused at once.

import { assert, layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import { type EnvChange, limitBytes } from "@lockkeeper/core/domain/Env"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { type FailpointReaction, Failpoints } from "@lockkeeper/core/port/failpoint"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { makeHold } from "@lockkeeper/core/testing/Reaction"
import { Cause, Duration, Effect, Exit, Fiber, Result } from "effect"
import { SqlClient } from "effect/sql"
import { replayed } from "../../../test/harness/envReplay.ts"
import { free, held, onWay, type Replica } from "./support/envWays.ts"
import { replicas, stores } from "./support/stores.ts"

const revise = <E>(app: App, own: Replica, decide: () => Result.Result<EnvChange, E>) =>
  Effect.provideContext(
    Effect.flatMap(EnvStore, (envs) => envs.revise({ app: app.id, actor: "batches", decide })),
    own
  )

const set = (app: App, own: Replica, entries: Readonly<Record<string, string | null>>) =>
  revise(app, own, () => Result.succeed(Given.changeOf(entries)))

/** Starts changes of an App while one before them is under way, so that they wait together, and lets all go. */
const together = Effect.fnUntraced(function* <A, E, R>(
  app: App,
  own: Replica,
  changes: ReadonlyArray<Effect.Effect<A, E, R>>
) {
  // Whoever changed an Env last still ends its flush, and what comes meanwhile would be flushed in its name.
  yield* Effect.sleep("5 millis")
  const hold = yield* makeHold
  let calls = 0
  const react: FailpointReaction = (_point, effect, refuse) =>
    Effect.suspend(() => (++calls === 1 ? hold.before(effect, refuse) : effect))
  const first = yield* Effect.forkChild(Effect.provideService(set(app, own, { FIRST: "1" }), Failpoints, react))
  yield* hold.reached
  const fibers = yield* Effect.forEach(changes, (change) => Effect.forkChild(change, { startImmediately: true }))
  yield* hold.release
  yield* Fiber.join(first)
  return yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
})

/** How many Revisions each batch of an App made. */
const sizesOf = Effect.fnUntraced(function* ({ id }: App) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly size: number }>`select last - first + 1 as size from env_changes
    where app = ${id} order by first`
  return rows.map(({ size }) => size)
})

const tagOf = <A, E>(exit: Exit.Exit<A, E>): string => {
  if (Exit.isSuccess(exit)) return "Success"
  const [reason] = exit.cause.reasons
  if (reason?._tag !== "Fail") return Cause.pretty(exit.cause).includes("no decision") ? "died of its own" : "died"
  const { error } = reason
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)
}

layer(stores(), { excludeTestServices: true })("changes of one Env that wait together", (it) => {
  for (const way of [free, held]) {
    it.effect(`E2 E12 INV-5: are written as one on the ${way.name} way, and each has its own outcome`, () =>
      Effect.gen(function* () {
        const [own, other] = yield* replicas()
        const app = yield* onWay(way, own, other)
        const good = (index: number) => set(app, own, { [`KEY_${index}`]: String(index) })
        const bad = [
          set(app, own, { LARGE: "x".repeat(limitBytes) }),
          revise(app, own, () => Result.fail("mismatched" as const)),
          revise(app, own, (): Result.Result<EnvChange> => {
            throw new Error("no decision")
          }),
          set(app, own, { NEVER: null })
        ]
        const order = [0, 1, 2, "a", 3, 4, "b", 5, "c", 6, 7, "d", 8, 9].map((name) =>
          typeof name === "number" ? good(name) : (bad["abcd".indexOf(name)] ?? assert.fail("a change"))
        )
        const exits = yield* together(app, own, order)
        const tags = exits.map(tagOf)
        assert.deepStrictEqual(
          [tags[3], tags[6], tags[8], tags[11]],
          ["EnvTooLarge", "mismatched", "died of its own", "Success"]
        )
        assert.strictEqual(tags.filter((tag) => tag === "Success").length, 11)
        const base = way.before.length + 1
        const revisions = exits.flatMap((exit) => (Exit.isSuccess(exit) ? [Number(exit.value.revision) - base] : []))
        assert.deepStrictEqual(revisions, [1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10])
        const batches = (yield* sizesOf(app)).slice(way.before.length)
        assert.deepStrictEqual(batches, way === free ? [1, 10] : [11])
        yield* replayed(app.id)
      })
    )
  }

  it.effect("E1: go in several batches when they are many", () =>
    Effect.gen(function* () {
      const [own, other] = yield* replicas()
      const app = yield* onWay(free, own, other)
      const many = Array.from({ length: 300 }, (_, index) => set(app, own, { [`KEY_${index}`]: "1" }))
      const exits = yield* together(app, own, many)
      assert.deepStrictEqual([...new Set(exits.map(tagOf))], ["Success"])
      assert.deepStrictEqual(yield* sizesOf(app), [1, 1, 256, 44])
      yield* replayed(app.id)
    })
  )

  it.effect("E1: go in several batches when they are large", () =>
    Effect.gen(function* () {
      const [own, other] = yield* replicas()
      const app = yield* onWay(free, own, other)
      const large = Array.from({ length: 40 }, (_, index) => set(app, own, { LARGE: `${index}`.repeat(8_000) }))
      const exits = yield* together(app, own, large)
      assert.deepStrictEqual([...new Set(exits.map(tagOf))], ["Success"])
      const sizes = (yield* sizesOf(app)).slice(2)
      assert.isAtLeast(sizes.length, 2)
      assert.isAbove(sizes[0] ?? 0, 1)
      yield* replayed(app.id)
    })
  )

  it.effect("E6: are refused at once when 8,192 wait already, and those are all written", () =>
    Effect.gen(function* () {
      const [own, other] = yield* replicas()
      const app = yield* onWay(free, own, other)
      const over = Effect.map(Effect.timed(Effect.flip(set(app, own, { OVER: "1" }))), ([took, error]) => {
        assert.strictEqual(error._tag, "EnvBusy")
        assert.isBelow(Duration.toMillis(took), 500)
      })
      const many = Array.from({ length: 8_192 }, (_, index) => set(app, own, { COUNT: String(index) }))
      const exits = yield* together(app, own, [
        ...many.map((change) => Effect.asVoid(Effect.orDie(change))),
        Effect.orDie(over),
        Effect.orDie(over)
      ])
      const tags = Map.groupBy(exits.map(tagOf), (tag) => tag)
      assert.deepStrictEqual(
        [...tags].map(([tag, all]) => [tag, all.length]),
        [["Success", 8_194]],
        "all that waited, and the two that were refused as they had to be"
      )
      const sizes = yield* sizesOf(app)
      assert.isAtMost(Math.max(...sizes), 256)
      assert.strictEqual(
        sizes.reduce((sum, size) => sum + size),
        8_194
      )
    })
  )
})
