// The lines in which changes of Envs wait, without a database: however many Apps are changed at once, each has one line, out
// of which a change can be withdrawn, and which is refused when it ends.

import { assert, describe, it } from "@effect/vitest"
import { AppId } from "@lockkeeper/core/domain/App"
import { Env, Revision } from "@lockkeeper/core/domain/Env"
import type { EnvRevised } from "@lockkeeper/core/port/EnvStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Context, Effect, Exit, Latch, Result, Scope } from "effect"
import { eventually } from "../../../test/harness/eventually.ts"
import { pendingOf } from "../src/internal/envBatch.ts"
import { envLines, type EnvWriting } from "../src/internal/envLines.ts"

const app = (index: number): AppId => AppId.make(`app_${index}`)

const dying = (index: number): AppId => AppId.make(`app_dying${index}`)

const unwritten = { revision: Revision.make(0), env: Env.empty, wholeBytes: 0, changeBytes: 0, changeCount: 0 }

/** Lines whose Apps are read when it is let go, and count what is read and written. */
const lines = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const latch = yield* Latch.make()
  const read: Array<AppId> = []
  const written: Array<AppId> = []
  const writing: EnvWriting = {
    load: (line) =>
      Effect.gen(function* () {
        read.push(line.app)
        yield* latch.await
        line.meetings = line.app.startsWith("app_dying") ? 0 : 1
        line.loaded = unwritten
      }),
    writeFree: () => Effect.die(new Error("a defect")),
    writeHeld: (line) => Effect.sync(() => void written.push(...line.waiting.splice(0).map(() => line.app)))
  }
  const { join, withdraw } = yield* Scope.provide(
    envLines(writing, () => 0),
    scope
  )
  const told = new Map<AppId, Effect.Effect<EnvRevised, unknown>>()
  const change = (id: AppId) => {
    const edit = { app: id, actor: "lines", decide: () => Result.succeed(Given.changeOf({ A: "1" })) }
    const { pending } = pendingOf(edit, 0, (answer) => void told.set(id, answer))
    join(id, pending, Context.empty())
    return pending
  }
  return { change, withdraw, told, read, written, letGo: latch.open, close: Scope.close(scope, Exit.void) }
})

/** More than Envs are kept of. */
const many = 1_100

describe("the lines of changes of Envs", () => {
  it.live("INV-5: are one for each App, however many Apps are changed at once", () =>
    Effect.gen(function* () {
      const { change, close, read } = yield* lines
      for (let index = 0; index < many; index++) change(app(index))
      for (let index = 0; index < many; index++) change(app(index))
      assert.deepStrictEqual([read.length, new Set(read).size], [many, many])
      yield* close
    })
  )

  it.live("H24: let a change be withdrawn, however many Apps are changed at once", () =>
    Effect.gen(function* () {
      const { change, close, letGo, withdraw, written } = yield* lines
      const all = Array.from({ length: many }, (_, index) => [app(index), change(app(index))] as const)
      for (const [id, pending] of all.slice(-100)) yield* withdraw(id, pending)
      yield* letGo
      const seen = Effect.sync(() => written.length)
      yield* eventually("the others are written", seen, (count) => count >= many - 100)
      yield* close
      assert.deepStrictEqual(new Set(written), new Set(all.slice(0, -100).map(([id]) => id)))
    })
  )

  it.live("K11: refuse all that wait when they end, however many Apps are changed at once", () =>
    Effect.gen(function* () {
      const { change, close, told } = yield* lines
      for (let index = 0; index < many; index++) change(app(index))
      yield* close
      assert.strictEqual(told.size, many)
      for (const answer of told.values()) assert.include(String(yield* Effect.flip(answer)), "StoreError")
    })
  )

  it.live("E9: tell a defect to those that it hit, and serve everybody after that", () =>
    Effect.gen(function* () {
      const { change, close, letGo, told } = yield* lines
      yield* letGo
      const hasHeard = (id: AppId) =>
        eventually(
          "it is told",
          Effect.sync(() => told.get(id)),
          (answer) => answer !== undefined
        )
      for (const index of [1, 2, 3]) {
        change(dying(index))
        const answer = yield* hasHeard(dying(index))
        assert.include(String(yield* Effect.flip(answer ?? Effect.void)), "StoreError")
      }
      yield* close
    })
  )
})
