// Several replicas of the store in one process, each with a pool of its own, and sixty-four who write one Env through them:
// what they saw together is what one store would have shown that does one thing at a time.

import { assert, layer } from "@effect/vitest"
import type { AppId } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { mergeEnv } from "@lockkeeper/core/program/mergeEnv"
import { envMap } from "@lockkeeper/core/testing/envMap"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as History from "@lockkeeper/core/testing/History"
import { linearizable } from "@lockkeeper/core/testing/linearizable"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith } from "../../../test/harness/capability.ts"
import { replayed } from "../../../test/harness/envReplay.ts"
import { soak } from "../../../test/harness/sample.ts"
import type { Replica } from "./support/envWays.ts"
import { pooledStores, replicas, stores } from "./support/stores.ts"

const writers = 64

type Input = typeof envMap.input.Type
type Output = typeof envMap.output.Type

const failure = (error: { readonly _tag: string }): History.Answer<Output> =>
  error._tag === "EnvBusy" ? { type: "fail" } : { type: "unknown" }

const read = Effect.fnUntraced(function* (app: AppId, process: string, { record }: History.History<Input, Output>) {
  const answer = (yield* EnvStore).read(app)
  return yield* record({ key: app, process, input: { type: "read" } }, answer, {
    success: ({ env, revision }) => ({ type: "read", revision: Number(revision), entries: Given.plain(env) }),
    failure
  })
})

/** Merges, perhaps only at a Revision, and answers whether that made another one. */
const merge = (
  app: AppId,
  process: string,
  { record }: History.History<Input, Output>,
  changes: Readonly<Record<string, string>>,
  expectedRevision?: number
) => {
  const expected = expectedRevision === undefined ? undefined : Revision.make(expectedRevision)
  const input: Input = { type: "merge", changes, ...(expectedRevision === undefined ? {} : { expectedRevision }) }
  return record(
    { key: app, process, input },
    mergeEnv({ app, actor: process, change: Given.changeOf(changes), expected }),
    {
      success: ({ applied, revision }) => ({
        type: applied.changed ? "revised" : "unchanged",
        revision: Number(revision)
      }),
      failure: (error) =>
        error._tag === "RevisionMismatch"
          ? { type: "ok", output: { type: "mismatch", revision: Number(error.actual) } }
          : failure(error)
    }
  ).pipe(
    Effect.map(({ applied }) => (applied.changed ? 1 : 0)),
    Effect.catchTags({ RevisionMismatch: () => Effect.succeed(0), EnvBusy: () => Effect.succeed(0) })
  )
}

const writes = Effect.fnUntraced(function* (app: AppId, index: number, history: History.History<Input, Output>) {
  const process = `writer-${index}`
  let made = 0
  for (let round = 0; round < soak.many(5, 50); round++) {
    const value = `${index} ${round}`
    made += yield* merge(app, process, history, { [`KEY_${index % 8}`]: value })
    const { revision } = yield* read(app, process, history)
    made += yield* merge(app, process, history, { SHARED: value }, Number(revision))
  }
  return made
})

const looksSerial = Effect.fnUntraced(function* (pools: ReadonlyArray<Replica>) {
  const { id } = yield* Given.registered()
  const history = yield* History.make<Input, Output>()
  const made = yield* Effect.forEach(
    Array.from({ length: writers }).keys(),
    (index) => {
      const own = pools[index % pools.length]
      return own === undefined ? Effect.succeed(0) : Effect.provideContext(writes(id, index, history), own)
    },
    { concurrency: "unbounded" }
  )
  const { batches, texts } = yield* replayed(id)
  const sum = made.reduce((total, one) => total + one)
  assert.isAbove(sum, writers)
  assert.strictEqual(texts.length - 1, sum, "a Revision for each acknowledged change, and no other")
  const operations = yield* history.operations
  assert.isTrue(operations.every(({ outcome }) => outcome.type !== "unknown"))
  const verdict = linearizable(envMap, operations)
  assert.strictEqual(verdict.type, "linearizable", verdict.type === "notLinearizable" ? verdict.report : "")
  soak.count("one Env through several pools", { operations: operations.length, revisions: sum, batches })
  return batches / sum
})

layer(stores(), { excludeTestServices: true })("one Env", (it) => {
  it.effect("E1 INV-5: that sixty-four write through four replicas is as one store that does one thing at a time", () =>
    Effect.gen(function* () {
      yield* looksSerial([...(yield* replicas()), ...(yield* replicas())])
    })
  )

  it.effect("E1 INV-5: that somebody else changed is changed by what would have changed nothing before", () =>
    Effect.gen(function* () {
      const [own, other] = yield* replicas()
      for (let round = 0; round < 3; round++) {
        const app = yield* Given.registered()
        const set = (value: string, replica: Replica) =>
          Effect.map(Effect.provideContext(Given.revised(app, { A: value }), replica), ({ applied, revision }) => [
            Number(revision),
            applied.changed
          ])
        assert.deepStrictEqual(yield* set("own", own), [1, true])
        assert.deepStrictEqual(yield* set("other", other), [2, true])
        assert.deepStrictEqual(yield* set("own", own), [3, true])
        assert.deepStrictEqual(yield* set("own", own), [3, false])
        assert.deepStrictEqual(yield* set("own", other), [3, false])
      }
    })
  )

  it.effect("E1 E10: of which the Revisions were swept that a replica has not seen is changed all the same", () =>
    Effect.gen(function* () {
      const [cipher, sql] = [yield* SecretCipher, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      const [own, other] = yield* replicas()
      const set = (value: string, replica: Replica) => Effect.provideContext(Given.revised(app, { A: value }), replica)
      yield* set("1", own)
      for (const value of ["2", "3"]) yield* set(value, other)
      const whole = yield* cipher.seal(Redacted.make('{"A":"3"}'), `env/${app.id}/3`)
      yield* sql`insert into env_snapshots (app, revision, sealed) values (${app.id}, 3, ${whole})`
      yield* sql`delete from env_changes where app = ${app.id} and last <= 3`
      assert.strictEqual(Number((yield* set("4", own)).revision), 4)
      const { env } = yield* Effect.provideContext(
        Effect.flatMap(EnvStore, (envs) => envs.read(app.id)),
        other
      )
      assert.deepStrictEqual(Given.plain(env), { A: "4" })
    })
  )

  it.effect("E1 INV-5: that sixty-four write through one replica is so too, and they are written together", () =>
    Effect.gen(function* () {
      const [own] = yield* replicas()
      assert.isBelow(yield* looksSerial([own]), 1 / 4)
    })
  )
})

describeWith("pgbouncer")("behind PgBouncer", () => {
  layer(pooledStores(4), { excludeTestServices: true })("one Env", (it) => {
    it.effect(
      "E1 INV-5: that sixty-four write through two replicas is as one store that does one thing at a time",
      () =>
        Effect.gen(function* () {
          yield* looksSerial(yield* replicas())
        })
    )
  })
})
