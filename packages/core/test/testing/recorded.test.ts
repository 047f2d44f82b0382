// The checker on what the product does: Envs in memory that many fibers change at once are linearizable, and ones that lose
// updates are found out.

import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { type EnvEdit, EnvStore } from "../../src/port/EnvStore.ts"
import { mergeEnv, type RevisionMismatch } from "../../src/program/mergeEnv.ts"
import { Revision } from "../../src/domain/Env.ts"
import { type EnvInput, envMap, type EnvOutput } from "../../src/testing/envMap.ts"
import * as Given from "../../src/testing/Fixture.ts"
import * as History from "../../src/testing/History.ts"
import { linearizable } from "../../src/testing/linearizable.ts"
import { altered } from "../broken/Broken.ts"
import { layerMemory } from "../support/layerMemory.ts"

const answerOf = (error: { readonly _tag: string } | RevisionMismatch): History.Answer<EnvOutput> =>
  error._tag === "RevisionMismatch" && "actual" in error
    ? { type: "ok", output: { type: "mismatch", revision: error.actual } }
    : { type: "fail" }

/** Eight fibers that each merge, merge with an expectation, and read, on one App. */
const recorded = Effect.gen(function* () {
  const store = yield* EnvStore
  const app = yield* Given.registered()
  const history = yield* History.make<EnvInput, EnvOutput>()

  const merge = (process: string, changes: Record<string, string | null>, expectedRevision?: number) => {
    const expected = expectedRevision === undefined ? {} : { expectedRevision }
    const call = { key: app.id, process, input: { type: "merge", changes, ...expected } } as const
    const change = Given.changeOf(changes)
    const self = mergeEnv({
      app: app.id,
      actor: process,
      change,
      expected: expectedRevision === undefined ? undefined : Revision.make(expectedRevision)
    })
    const success = ({ revision, applied }: Effect.Success<typeof self>) =>
      ({ type: applied.changed ? "revised" : "unchanged", revision }) as const
    return Effect.result(history.record(call, self, { success, failure: answerOf }))
  }

  const read = (process: string) =>
    history.record({ key: app.id, process, input: { type: "read" } }, store.read(app.id), {
      success: ({ revision, env }) => ({
        type: "read",
        revision,
        entries: Object.fromEntries([...env].map(([key, value]) => [key, Redacted.value(value)]))
      }),
      failure: answerOf
    })

  const fiber = (index: number) =>
    Effect.gen(function* () {
      for (let turn = 0; turn < 25; turn++) {
        yield* merge(`p${index}`, { [`KEY_${index % 4}`]: `${index} ${turn}` })
        const { revision } = yield* read(`p${index}`)
        yield* merge(`p${index}`, { SHARED: `${turn}`, KEY_0: null }, revision)
      }
    })
  yield* Effect.all(
    Array.from({ length: 8 }, (_, index) => fiber(index)),
    { concurrency: "unbounded" }
  )
  return yield* history.operations
})

/** A store that lets others in between reading an Env and writing it. */
const torn = altered(EnvStore, (original) => ({
  revise: <E>(edit: EnvEdit<E>) =>
    Effect.gen(function* () {
      const before = yield* original.read(edit.app)
      yield* Effect.yieldNow
      return yield* original.revise({ ...edit, decide: () => edit.decide(before) })
    })
}))

describe("E1 what eight fibers do to one Env at once", () => {
  it.live("is linearizable", () =>
    Effect.gen(function* () {
      const history = yield* recorded
      expect(history.length).toBe(8 * 25 * 3)
      expect(linearizable(envMap, history).type).toBe("linearizable")
    }).pipe(Effect.provide(layerMemory))
  )

  it.live("is not when a change is decided on an Env that is no longer there", () =>
    Effect.gen(function* () {
      expect(linearizable(envMap, yield* recorded).type).toBe("notLinearizable")
    }).pipe(Effect.provide(torn))
  )
})
