// What the tests of rotation share: something sealed in every column, its bytes, and whether the stores read it.

import { assert } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import { GitRef, GitSource, GitUrl, KnownHosts } from "@lockkeeper/core/domain/Source"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Runs from "@lockkeeper/core/testing/RunFixture"
import { type Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { inspect } from "node:util"
import { sealedColumns } from "../../src/internal/sealedColumns.ts"
import type { Stores } from "../../src/layer.ts"
import { cipherUnder, opened } from "./stores.ts"

/** A part of every secret here. */
export const canary = "Y2FuYXJ5Y2FuYXJ5"

const pem = (body: string) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`

/** A Source with this deploy key. */
export const sourceOf = (key: string) =>
  GitSource.make({
    type: "git",
    url: GitUrl.make("git@code.example:team/app.git"),
    ref: GitRef.make("main"),
    deployKey: Redacted.make(pem(`${canary}${key}`)),
    knownHosts: KnownHosts.make("code.example ssh-ed25519 AAAA")
  })

/** Something sealed in every column, by the stores that are in the context. */
export const sealedEverywhere = Effect.gen(function* () {
  const app = yield* Given.registered({ source: sourceOf("app") })
  yield* Given.revised(app, { A: canary, B: canary })
  yield* Given.revised(app, { B: null, C: canary })
  const [web, ...nodes] = Runs.topology.nodes
  const topology = { ...Runs.topology, nodes: [...nodes, { ...web, name: Runs.names.web, source: sourceOf("run") }] }
  const run = yield* Runs.begun({ topology })
  yield* (yield* RunStore).record(run, { credentials: new Map([[Runs.names.db, Redacted.make(canary)]]) })
  return { app, run, deployment: (yield* Given.begun(app)).id }
})

/** Fails unless the stores that are in the context read all of that. */
export const readsEverything = Effect.fnUntraced(function* (given: Effect.Success<typeof sealedEverywhere>) {
  const [deployments, envs] = [yield* DeploymentStore, yield* EnvStore]
  assert.deepStrictEqual(Given.plain((yield* envs.read(given.app.id)).env), { A: canary, C: canary })
  assert.deepStrictEqual(Given.plain(yield* envs.readAt(given.app.id, Revision.make(1))), { A: canary, B: canary })
  const run = yield* Runs.taken(given.run)
  const source = run?.topology.nodes.at(-1)?.source
  assert.strictEqual(
    source?.type === "git" && Redacted.value(source.deployKey ?? Redacted.make("")),
    pem(`${canary}run`)
  )
  assert.strictEqual(Redacted.value(run?.credentials.get(Runs.names.db) ?? Redacted.make("")), canary)
  const claim = yield* Given.admission(given.deployment)
  if (claim?.source.type !== "git") return assert.fail("a Claim with a Git source")
  assert.strictEqual(Redacted.value(claim.source.deployKey ?? Redacted.make("")), pem(`${canary}app`))
  yield* deployments.finish(claim, { status: "cancelled" })
  yield* deployments.withdraw((yield* Given.begun(given.app)).id)
})

/** The bytes of every sealed value, by table, key and place. */
export const bytesOfAll = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* Effect.forEach(
    sealedColumns,
    ({ column, place, table }) =>
      sql<{
        place: string
        bytes: string
      }>`select ${sql.literal(place)} as place, encode(${sql.literal(column)}, 'hex') as bytes
        from ${sql.literal(table)} where ${sql.literal(column)} is not null`
  )
  return new Map(tables.flat().map(({ bytes, place }) => [place, bytes]))
})

/** Runs something on other stores than those of the test. */
export const under =
  (context: Context.Context<Stores>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Stores>> =>
    Effect.provideContext(self, context)

/** Such a cipher. */
export const cipherOf = (key: number, ...retired: ReadonlyArray<number>) =>
  Effect.provide(SecretCipher, Layer.fresh(cipherUnder(key, ...retired)))

/** With what the bytes of all begin that is sealed under a key, in hexadecimal. */
export const beginningOf = (key: number) =>
  Effect.map(cipherOf(key), ({ beginning }) => Buffer.from(beginning).toString("hex"))

/** Locks the row of an App until the answered effect is run. */
export const locked = ({ id }: App) =>
  opened(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select from apps where id = ${id} for update`))

/** Fails unless it says `corrupt`, because of a key that is not there, and shows nothing. */
export const fails = Effect.fnUntraced(function* <A, E, R>(self: Effect.Effect<A, E, R>) {
  const error = yield* Effect.flip(self)
  if (!(error instanceof StoreError)) return assert.fail(`it failed with ${String(error)}`)
  assert.strictEqual(error.reason, "corrupt")
  assert.include(inspect(error, { depth: 10 }), "unknown-key")
  assert.notInclude(inspect(error, { depth: 10 }), canary)
})
