// Changing an Env through the program: only the keys of the change, only at the Revision that was expected.
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { App } from "../../src/domain/App.ts"
import { Revision } from "../../src/domain/Env.ts"
import { EnvStore } from "../../src/port/EnvStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { mergeEnv, previewEnv } from "../../src/program/mergeEnv.ts"
import { changeOf, plain, registered } from "../../src/testing/Fixture.ts"
import { startReplica, world } from "./scripted.ts"

const actor = "somebody"

const envOf = (app: App) => Effect.flatMap(EnvStore, (store) => store.read(app.id))

const presentEnv = (app: App) => Effect.map(envOf(app), ({ env }) => plain(env))

describe("mergeEnv", () => {
  it.effect("sets and deletes the keys of the change and no other", () =>
    Effect.gen(function* () {
      const app = yield* registered()
      yield* mergeEnv({ app: app.id, actor, change: changeOf({ A: "1", B: "2", C: "3" }) })
      const { revision, applied } = yield* mergeEnv({ app: app.id, actor, change: changeOf({ A: null, B: "two" }) })
      expect(revision).toBe(2)
      expect(applied).toMatchObject({ keysSet: ["B"], keysDeleted: ["A"], changed: true })
      expect(yield* presentEnv(app)).toStrictEqual({ B: "two", C: "3" })
    }).pipe(Effect.provide(world))
  )

  it.effect("loses no key of those who change others at the same time", () =>
    Effect.gen(function* () {
      const app = yield* registered()
      const keys = Array.from({ length: 16 }, (_, index) => `KEY_${index}`)
      yield* Effect.forEach(keys, (key) => mergeEnv({ app: app.id, actor, change: changeOf({ [key]: key }) }), {
        concurrency: "unbounded"
      })
      expect(yield* presentEnv(app)).toStrictEqual(Object.fromEntries(keys.map((key) => [key, key])))
      expect((yield* envOf(app)).revision).toBe(16)
    }).pipe(Effect.provide(world))
  )

  it.effect("at another revision than the expected one it changes nothing and says which it is", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* mergeEnv({ app: app.id, actor, change: changeOf({ A: "1" }), expected: Revision.make(0) })
      const events = state.events.length
      const stale = { app: app.id, actor, change: changeOf({ A: "2" }), expected: Revision.make(0) }
      for (const program of [mergeEnv(stale), previewEnv(stale)]) {
        expect(yield* Effect.flip(program)).toMatchObject({ _tag: "RevisionMismatch", actual: 1 })
      }
      expect(yield* presentEnv(app)).toStrictEqual({ A: "1" })
      expect(state.events).toHaveLength(events)
    }).pipe(Effect.provide(world))
  )
})

describe("previewEnv", () => {
  it.effect("answers what merging would, with a read and no write", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* mergeEnv({ app: app.id, actor, change: changeOf({ A: "1" }) })
      const before = [state.events.length, state.revisions.get(app.id)?.length]
      const { run, script } = yield* startReplica("one")
      const merge = { app: app.id, actor, change: changeOf({ A: null, B: "2" }), expected: Revision.make(1) }

      const preview = yield* run(previewEnv(merge))
      expect(script.calls).toStrictEqual(["EnvStore.read#1"])
      expect([state.events.length, state.revisions.get(app.id)?.length]).toStrictEqual(before)
      expect(yield* presentEnv(app)).toStrictEqual({ A: "1" })

      const merged = yield* run(mergeEnv(merge))
      expect(plain(merged.applied.env)).toStrictEqual(plain(preview.applied.env))
      expect({ ...merged.applied, env: undefined }).toStrictEqual({ ...preview.applied, env: undefined })
      expect([preview.revision, merged.revision]).toStrictEqual([1, 2])
    }).pipe(Effect.provide(world))
  )

  it.effect("an env that would be too large is refused by both, and stays as it is", () =>
    Effect.gen(function* () {
      const app = yield* registered()
      const merge = { app: app.id, actor, change: changeOf({ A: "x".repeat(70_000) }) }
      for (const program of [mergeEnv(merge), previewEnv(merge)]) {
        expect(yield* Effect.flip(program)).toMatchObject({ _tag: "EnvTooLarge", limit: 65_536 })
      }
      expect(yield* presentEnv(app)).toStrictEqual({})
    }).pipe(Effect.provide(world))
  )
})
