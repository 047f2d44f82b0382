// How many changes of status a second the store makes of Deployments, many Apps at once, beside the bare driver that sends the
// same statements.

import { layerStores } from "@lockkeeper/adapter-postgres/layer"
import type { App } from "@lockkeeper/core/domain/App"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Ground } from "../ground.ts"
import type { Options } from "../options.ts"
import { makeRecording, planOf } from "../replay.ts"
import { medians, told } from "../told.ts"

const apps = 32

/** What {@link Given.deployed} asks of the store: begin, admit, built, activate, finish. */
const transitionsEach = 5

const stores = Layer.unwrap(
  Effect.map(Ground, ({ secretKey }) =>
    Layer.provide(layerStores({ migrate: "elsewhere" }), SecretCipher.layer(Redacted.make(secretKey)))
  )
)

/** The transitions of a second when each of these does Deployments, one after the other, for so long. */
const rate = Effect.fnUntraced(function* <E, R>(all: ReadonlyArray<Effect.Effect<unknown, E, R>>, seconds: number) {
  const begun = performance.now()
  let count = 0
  const again = (one: Effect.Effect<unknown, E, R>) =>
    one.pipe(
      Effect.tap(Effect.sync(() => void count++)),
      Effect.repeat({ until: () => performance.now() - begun > seconds * 1_000 })
    )
  yield* Effect.forEach(all, again, { concurrency: "unbounded", discard: true })
  return (count * transitionsEach) / ((performance.now() - begun) / 1_000)
})

const deployments = Effect.fnUntraced(function* (all: ReadonlyArray<App>) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly count: number }>`select count(*)::int as count from deployments
    where app = any(${all.map(({ id }) => String(id))}::text[]) and status = 'healthy'`
  return row?.count ?? 0
})

/** Lets both take turns, each on Apps of its own. */
export const transitions = Effect.fnUntraced(function* (options: Options) {
  const { layer, take } = yield* makeRecording
  const registered = Effect.forEach(Array.from({ length: apps }), () => Given.registered())
  const [mine, replayed] = yield* Effect.provide(Effect.all([registered, registered]), stores)

  const record = Effect.fnUntraced(function* (app: App) {
    yield* Given.deployed(app)
    take()
    yield* Given.deployed(app)
    const before = take()
    yield* Given.deployed(app)
    return yield* planOf(before, take())
  })
  const plans = yield* Effect.provide(Effect.forEach(replayed, record), Layer.provide(stores, layer))
  const sql = yield* SqlClient.SqlClient
  yield* sql`vacuum analyze`

  const context = yield* Layer.build(stores)
  const ours = Effect.provideContext(
    rate(
      mine.map((app) => Given.deployed(app)),
      options.seconds
    ),
    context
  )
  const before = yield* deployments(replayed)
  let sent = 0
  const driver = rate(
    plans.map(({ send }) =>
      Effect.tap(
        send,
        Effect.sync(() => void sent++)
      )
    ),
    options.seconds
  )
  yield* Effect.andThen(ours, driver)
  const rounds = yield* Effect.forEach(Array.from({ length: options.rounds }), () => Effect.all([ours, driver]))
  const done = (yield* deployments(replayed)) - before
  if (done !== sent) return yield* Effect.die(new Error(`${sent} were sent again, ${done} Deployments became healthy`))

  const goal = {
    name: "transitions of Deployments / bare driver, same statements",
    unit: "ratio",
    atLeast: 0.9
  } as const
  const facts = medians({ oursPerSecond: rounds.map(([a]) => a), driverPerSecond: rounds.map(([, b]) => b) })
  return [
    yield* told(
      goal,
      rounds.map(([a, b]) => a / b),
      { apps, ...facts }
    )
  ]
}, Effect.scoped)
