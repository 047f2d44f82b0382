// Somebody holds an App's row for longer than anyone waits: whoever wants to change its Env is told in time, everybody else
// goes on as before, and nothing is left of the wait.

import { assert, layer, vi } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Latch, Layer } from "effect"
import { makeApp } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { call } from "../harness/http.ts"
import { makePlace } from "../harness/server.ts"
import { type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** Two servers on one database. */
class Pair extends Context.Service<Pair, { readonly first: Running; readonly second: Running }>()(
  "@lockkeeper/test/e2e/envBusy/Pair"
) {
  static readonly layer = Layer.effect(
    Pair,
    Effect.gen(function* () {
      const { database, place } = yield* World
      const first = yield* start()
      const { LOCKKEEPER_SECRET_KEY_FILE: key = "" } = place.env
      return { first, second: yield* start(yield* makePlace(database, { LOCKKEEPER_SECRET_KEY_FILE: key })) }
    })
  ).pipe(Layer.provideMerge(World.layer()))
}

const patch = (server: Running, app: string, key: string) =>
  Effect.map(
    Effect.timed(call(server, `/v1/apps/${app}/env`, { method: "PATCH", body: { env: { [key]: "1" } } })),
    ([took, answer]) => ({ ...answer, millis: Duration.toMillis(took) })
  )

type Patched = Effect.Success<ReturnType<typeof patch>>

/** Runs something while another session holds the rows of these Apps. */
const whileHeld = Effect.fnUntraced(function* <A, E, R>(apps: ReadonlyArray<string>, during: Effect.Effect<A, E, R>) {
  const { sql } = yield* World
  const [held, release] = [yield* Latch.make(), yield* Latch.make()]
  const holding = yield* Effect.forkChild(
    sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`select 1 from apps where ${sql.in("id", apps)} for update`
        yield* held.open
        yield* release.await
      })
    )
  )
  yield* held.await
  const result = yield* Effect.ensuring(during, release.open)
  yield* Fiber.join(holding)
  return result
})

const isRefusedInTime = ({ fields, headers, millis, status }: Patched): void => {
  assert.deepStrictEqual([status, fields["code"]], [503, "env_busy"])
  assert.match(headers.get("retry-after") ?? "", /^\d+$/)
  assert.match(String(fields["requestId"]), /./)
  assert.isAbove(millis, 2_000)
  assert.isBelow(millis, 4_000)
}

const isPrompt = ({ millis, status, text }: Patched): void => {
  assert.strictEqual(status, 200, text)
  assert.isBelow(millis, 1_000)
}

/** No session waits for anything or holds a transaction open, and there are no more of them than the pools are large. */
const isAtRest = Effect.gen(function* () {
  const { sql } = yield* World
  const sessions = sql<{ readonly state: string; readonly waits: string | null }>`
    select state, case when wait_event_type = 'Lock' then wait_event end as waits from pg_stat_activity
    where datname = current_database() and application_name = 'lockkeeper' and pid <> pg_backend_pid()`
  const isQuiet = (rows: Effect.Success<typeof sessions>) =>
    rows.length <= 20 && rows.every(({ state, waits }) => waits === null && !state.startsWith("idle in transaction"))
  yield* eventually("no session waits or holds anything", sessions, isQuiet, "2 seconds")
})

/** Changes the Envs of Apps again and again, also of such that both servers change in turns, until it is told to stop. */
const others = Effect.fnUntraced(function* (apps: ReadonlyArray<string>, during: Effect.Effect<unknown>) {
  const { first, second } = yield* Pair
  const answers: Array<Patched> = []
  let isOver = false
  const loop = (app: string, index: number) =>
    Effect.gen(function* () {
      for (let round = 0; !isOver; round++) {
        const server = index % 2 === 0 && round % 2 === 1 ? second : first
        answers.push(yield* patch(server, app, `ROUND_${round}`))
        yield* Effect.sleep("30 millis")
      }
    })
  const looping = yield* Effect.forkChild(Effect.forEach(apps, loop, { concurrency: "unbounded", discard: true }))
  yield* during
  isOver = true
  yield* Fiber.join(looping)
  return answers
})

layer(Pair.layer, { excludeTestServices: true })("E6: while another session holds the row of an App", (it) => {
  it.effect("for nine seconds, each PATCH of its env answers 503 env_busy within four, and the next one succeeds", () =>
    Effect.gen(function* () {
      const { first } = yield* Pair
      const { id } = yield* makeApp(first.client)
      isPrompt(yield* patch(first, id, "BEFORE"))
      const refused = yield* whileHeld(
        [id],
        Effect.forEach(["A", "B", "C"], (key) => patch(first, id, key))
      )
      refused.forEach(isRefusedInTime)
      yield* isAtRest
      isPrompt(yield* patch(first, id, "AFTER"))
      const { fields } = yield* call(first, `/v1/apps/${id}/env`)
      assert.deepStrictEqual([fields["revision"], fields["env"]], [2, { AFTER: "***", BEFORE: "***" }])
    })
  )

  it.effect("fifty who want to change its env are all told within four seconds, and nothing of them is written", () =>
    Effect.gen(function* () {
      const { first, second } = yield* Pair
      const { id } = yield* makeApp(first.client)
      isPrompt(yield* patch(first, id, "BEFORE"))
      const all = Effect.forEach(
        Array.from({ length: 50 }).keys(),
        (index) => patch(index % 2 === 0 ? first : second, id, `KEY_${index}`),
        { concurrency: "unbounded" }
      )
      const refused = yield* whileHeld([id], all)
      refused.forEach(isRefusedInTime)
      yield* isAtRest
      isPrompt(yield* patch(second, id, "AFTER"))
      const { fields } = yield* call(first, `/v1/apps/${id}/env`)
      assert.deepStrictEqual([fields["revision"], fields["env"]], [2, { AFTER: "***", BEFORE: "***" }])
    })
  )

  it.effect(
    "and of five more, the envs of other Apps are changed as fast as ever, also those that both servers change",
    () =>
      Effect.gen(function* () {
        const { first } = yield* Pair
        const make = Effect.map(makeApp(first.client), ({ id }) => id)
        const [held, free] = [yield* Effect.replicateEffect(make, 6), yield* Effect.replicateEffect(make, 6)]
        yield* Effect.forEach(held, (app) => patch(first, app, "BEFORE"))
        const waiting = Effect.forEach(
          held.flatMap((app) => [app, app, app]),
          (app, index) => patch(first, app, `KEY_${index}`),
          {
            concurrency: "unbounded"
          }
        )
        const refused: Array<Patched> = []
        const during = Effect.map(Effect.all([waiting, waiting]), (answers) => void refused.push(...answers.flat()))
        const answers = yield* whileHeld(held, others(free, during))
        refused.forEach(isRefusedInTime)
        assert.isAbove(answers.length, 100)
        answers.forEach(isPrompt)
        yield* isAtRest
        for (const app of held) isPrompt(yield* patch(first, app, "AFTER"))
      })
  )

  it.effect(
    "E9 H24: what clients asked for who went away before they were answered is not done when the row is free again",
    () =>
      Effect.gen(function* () {
        const { first, second } = yield* Pair
        const { id } = yield* makeApp(first.client)
        isPrompt(yield* patch(first, id, "BEFORE"))
        const gone = Effect.forEach(
          Array.from({ length: 20 }).keys(),
          (index) => Effect.timeoutOption(patch(index % 2 === 0 ? first : second, id, `GONE_${index}`), "500 millis"),
          { concurrency: "unbounded" }
        )
        const answers = yield* whileHeld([id], Effect.tap(gone, Effect.sleep("300 millis")))
        assert.isTrue(answers.every(({ _tag }) => _tag === "None"))
        isPrompt(yield* patch(second, id, "AFTER"))
        yield* isAtRest
        const { fields } = yield* call(first, `/v1/apps/${id}/env`)
        assert.deepStrictEqual([fields["revision"], fields["env"]], [2, { AFTER: "***", BEFORE: "***" }])
      })
  )
})
