// The size limit of a log where many write and where the operator changes it.

import { assert, layer } from "@effect/vitest"
import { LogName, LogStore, truncationLine } from "@lockkeeper/core/port/LogStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Context, Effect } from "effect"
import { raced, refusals, replicas, stores } from "./support/stores.ts"

const freshLog = Effect.map(Given.freshLetters, (letters) => LogName.make(`workload/dep_${letters}`))

const said = (...lines: ReadonlyArray<string>) => lines.map((line) => ({ stream: "stdout", line }) as const)

const limit = 1_000

layer(stores({ logLimitBytes: limit }), { excludeTestServices: true })("U1: a log with a limit", (it) => {
  it.effect("that many fill at once is cut once, at the limit, with one line that says so as its last", () =>
    Effect.gen(function* () {
      const [logs, log] = [yield* LogStore, yield* freshLog]
      const results = yield* raced(
        40,
        (index) =>
          Effect.flatMap(LogStore, (store) => store.append(log, said("x".repeat(40), `${index}`.padStart(40)))),
        { logLimitBytes: limit }
      )
      assert.deepStrictEqual(refusals(results), [])
      const { lines } = yield* logs.read(log, 0, 100)
      assert.strictEqual(lines.length, Math.floor(limit / 41) + 1)
      assert.deepStrictEqual(
        lines.filter(({ line }) => line === truncationLine).map(({ seq }) => seq),
        [lines.length]
      )
      assert.deepStrictEqual(
        lines.map(({ seq }) => seq),
        lines.map((_, index) => index + 1)
      )
    })
  )

  it.effect("counts bytes, not characters", () =>
    Effect.gen(function* () {
      const [logs, log] = [yield* LogStore, yield* freshLog]
      yield* logs.append(log, said("é".repeat(499)))
      yield* logs.append(log, said("", "x"))
      const { lines } = yield* logs.read(log, 0, 100)
      assert.deepStrictEqual(
        lines.map(({ line }) => line),
        ["é".repeat(499), "", truncationLine]
      )
    })
  )

  it.effect("stays cut when the limit is raised afterwards", () =>
    Effect.gen(function* () {
      const [logs, log] = [yield* LogStore, yield* freshLog]
      yield* logs.append(log, said("x".repeat(limit)))
      const [other] = yield* replicas({ logLimitBytes: limit * 100 })
      yield* Context.get(other, LogStore).append(log, said("more"))
      const { lines } = yield* logs.read(log, 0, 100)
      assert.deepStrictEqual(
        lines.map(({ line }) => line),
        [truncationLine]
      )
    })
  )
})
