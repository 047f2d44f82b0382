// Many write without a pause while something between them and the database is restarted; then it is counted what is there.

import { assert } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import type { Revision } from "@lockkeeper/core/domain/Env"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect, Fiber, Schedule } from "effect"
import { eventually } from "../../../../test/harness/eventually.ts"

/**
 * What a killed server leaves behind may go on writing for a moment, so that all seem to write again before the next server
 * is there.
 */
const whileAway = {
  while: (error: unknown) => error instanceof StoreError && error.reason === "unavailable",
  schedule: Schedule.spaced("100 millis"),
  times: 150
}

interface Written {
  readonly value: number
  readonly revision: Revision
}

/** One writer: it counts up a key of its App's Env, and keeps what was acknowledged and what may have been done. */
const writer = (app: App) => {
  const acknowledged: Array<Written> = []
  const unknown = new Set<number>()
  let value = 0
  const write = Effect.gen(function* () {
    value += 1
    unknown.add(value)
    const { revision } = yield* Given.revised(app, { COUNT: String(value) })
    unknown.delete(value)
    acknowledged.push({ value, revision })
  }).pipe(
    Effect.catch((error) => {
      const isTyped = error._tag === "EnvBusy" || (error instanceof StoreError && error.reason === "unavailable")
      if (!isTyped) return assert.fail(`a writer was told ${String(error)}`)
      return Effect.sleep("20 millis")
    })
  )

  /** Every acknowledged change is there as it was acknowledged, and of the others each was done once or not at all. */
  const check = Effect.gen(function* () {
    const envs = yield* EnvStore
    const { env, revision } = yield* envs.read(app.id)
    const revisions = new Set(acknowledged.map(({ revision }) => revision))
    assert.strictEqual(revisions.size, acknowledged.length, "a change that was acknowledged is gone")
    assert.isAtLeast(revision, acknowledged.length, "a change that was acknowledged is gone")
    assert.isAtMost(revision, acknowledged.length + unknown.size)
    const present = Number(Given.plain(env)["COUNT"])
    const last = acknowledged.at(-1)
    assert.isTrue(present === last?.value || unknown.has(present))
    for (const { revision, value } of acknowledged.slice(-3)) {
      assert.deepStrictEqual(Given.plain(yield* envs.readAt(app.id, revision)), { COUNT: String(value) })
    }
  })
  return {
    acknowledged: () => acknowledged.length,
    unknown: () => unknown.size,
    write,
    check: Effect.retry(check, whileAway)
  }
}

/**
 * Restarts something under so many writers, and waits each time until every writer writes again. Answers how many changes
 * were acknowledged, how many may have been done, and the longest time until all wrote again.
 */
export const underRestarts = Effect.fnUntraced(function* <E, R>(
  count: number,
  restarts: ReadonlyArray<Effect.Effect<unknown, E, R>>
) {
  const writers = (yield* Given.registeredTogether(count)).map(writer)
  const writing = yield* Effect.forkChild(
    Effect.forEach(writers, ({ write }) => Effect.forever(write), { concurrency: "unbounded", discard: true })
  )
  const allWriteAgain = Effect.suspend(() => {
    const before = writers.map(({ acknowledged }) => acknowledged())
    return eventually(
      "every writer writes again",
      Effect.sync(() => writers.every(({ acknowledged }, index) => acknowledged() > (before[index] ?? 0) + 3)),
      (is) => is
    )
  })
  const times: Array<number> = []
  yield* allWriteAgain
  for (const restart of restarts) {
    const [took] = yield* Effect.timed(Effect.andThen(restart, allWriteAgain))
    times.push(Math.round(Duration.toMillis(took)))
  }
  yield* Fiber.interrupt(writing)
  yield* Effect.forEach(writers, ({ check }) => check)
  const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)
  return {
    acknowledged: sum(writers.map(({ acknowledged }) => acknowledged())),
    unknown: sum(writers.map(({ unknown }) => unknown())),
    times
  }
})
