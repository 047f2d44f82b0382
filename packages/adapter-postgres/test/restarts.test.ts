// PostgreSQL or PgBouncer is restarted while many write: what was acknowledged is there, what was not is there once or not at
// all, every error says that the database is away, and it goes on by itself within seconds.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import * as Database from "../../../test/harness/database.ts"
import { pgbouncer } from "../../../test/harness/pgbouncer.ts"
import * as EmbeddedPostgres from "../src/EmbeddedPostgres.ts"
import { layer as layerPostgres } from "../src/layer.ts"
import { isGone, postmasterOf, temporaryDirectory, until } from "./support/embedded.ts"
import { underRestarts } from "./support/restarts.ts"
import { cipher } from "./support/stores.ts"

const isWhole = process.env["SOAK"] === "1"
const rounds = isWhole ? 10 : 1
const writers = isWhole ? 64 : 24

const repeated = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> => Array.from({ length: rounds }, () => items).flat()

/** Longer than it takes until what was there before is safe also in a server that is not durable. */
const aWhile = Effect.sleep("1 second")

/** Restarts a server of its own with each of these signals, under load. */
const withSignals = Effect.fnUntraced(
  function* (signals: ReadonlyArray<"SIGINT" | "SIGKILL">, settings: Readonly<Record<string, string>> = {}) {
    const dataDir = yield* temporaryDirectory
    const options = { dataDir, settings: { fsync: "off", full_page_writes: "off", ...settings } }
    const { url } = yield* EmbeddedPostgres.make(options)
    const end = (signal: "SIGINT" | "SIGKILL") =>
      Effect.suspend(() => {
        const pid = postmasterOf(dataDir)
        const kill = Effect.sync(() => void process.kill(pid, signal))
        return Effect.andThen(
          aWhile,
          Effect.andThen(
            kill,
            until(() => isGone(pid))
          )
        )
      })
    const through = Layer.provide(layerPostgres({ url, migrate: "apply" }), cipher)
    return yield* Effect.provide(underRestarts(writers, signals.map(end)), through)
  },
  Effect.scoped,
  Effect.provide([NodeServices.layer, Logger.layer([])])
)

describe("PostgreSQL that is restarted under load", () => {
  it.live(
    "E9: loses nothing that was acknowledged, whether it is stopped or killed",
    () =>
      Effect.gen(function* () {
        const found = yield* withSignals(repeated(["SIGINT", "SIGKILL"]))
        if (isWhole) console.info(found)
        assert.isAbove(found.unknown, 0)
        for (const time of found.times) assert.isBelow(time, 15_000)
      }),
    600_000
  )

  it.live("a server that loses what it acknowledged is noticed", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(withSignals(["SIGKILL"], { synchronous_commit: "off" }))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "a change that was acknowledged is gone")
    })
  )
})

describeWith("pgbouncer")("PgBouncer that is restarted under load", () => {
  layer(Database.layer, { excludeTestServices: true })("with two connections", (it) => {
    it.effect(
      "E9 K11: loses nothing that was acknowledged",
      () =>
        Effect.gen(function* () {
          const { url } = yield* Database.TestDatabase
          const pooler = yield* pgbouncer(url, 2)
          const found = yield* underRestarts(writers, repeated([pooler.restart, pooler.restart])).pipe(
            Effect.provide(Layer.provide(layerPostgres({ url: pooler.url, migrate: "apply" }), cipher))
          )
          if (isWhole) console.info(found)
          assert.isAbove(found.unknown, 0)
          for (const time of found.times) assert.isBelow(time, 10_000)
        }),
      600_000
    )
  })
})
