// What is secret is sealed in every row from the first write on: a dump of the whole database shows none of it.

import { assert, layer } from "@effect/vitest"
import { Revision } from "@lockkeeper/core/domain/Env"
import { GitRef, GitSource, GitUrl, KnownHosts } from "@lockkeeper/core/domain/Source"
import type { Topology } from "@lockkeeper/core/domain/Topology"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { IdempotencyStore } from "@lockkeeper/core/port/IdempotencyStore"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Runs from "@lockkeeper/core/testing/RunFixture"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { storedLogs } from "../../../test/harness/storedLogs.ts"
import { reasonOf } from "./support/reasonOf.ts"
import { cancelledTogether, stores } from "./support/stores.ts"

const canary = "Q0FOQVJZQ0FOQVJZQ0FOQVJZ"
const pem = (body: string) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`

const keyed = (body: string) =>
  GitSource.make({
    type: "git",
    url: GitUrl.make("git@code.example:team/app.git"),
    ref: GitRef.make("main"),
    deployKey: Redacted.make(pem(body)),
    knownHosts: KnownHosts.make("code.example ssh-ed25519 AAAA")
  })

/** Every row of every table as text, and every `bytea` in it as it is and in hexadecimal. */
const dump = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const columns = yield* sql<{ table: string; column: string; type: string }>`
    select table_name as table, column_name as column, data_type as type from information_schema.columns
    where table_schema = 'public' order by 1, 2`
  const cells = yield* Effect.forEach(
    columns,
    ({ column, table, type }) =>
      sql<{ cell: string | null }>`select ${
        type === "bytea"
          ? sql`encode(${sql(column)}, 'escape') || encode(${sql(column)}, 'hex')`
          : sql`${sql(column)}::text`
      } as cell from ${sql(table)}`
  )
  return [...cells.flat().map(({ cell }) => cell ?? ""), ...(yield* storedLogs)]
})

/** The forms in which a secret could have been written. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(secret)
  const base64 = [0, 1, 2].map((cut) => bytes.subarray(cut, cut + Math.floor((bytes.length - cut) / 3) * 3))
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString("hex"),
    ...base64.map((part) => part.toString("base64"))
  ]
}

layer(stores(), { excludeTestServices: true })("INV-11: secrets at rest", (it) => {
  it.effect("no table holds a value of an Env or a deploy key, in no form, and the stores still know them", () =>
    Effect.gen(function* () {
      const [apps, deployments, envs] = [yield* AppStore, yield* DeploymentStore, yield* EnvStore]
      const value = 'canary value: 100% "secret" & séance'
      const app = yield* Given.registered({ source: keyed(canary) })
      yield* Given.revised(app, { NAME: value, OTHER: "changed" })
      yield* Given.revised(app, { NAME: `${value} again`, OTHER: null })
      yield* apps.change(app.id, { source: keyed(`${canary}b`) })
      const claim = yield* Given.claimed(app)
      yield* Given.takenOver(claim)
      const other = yield* Given.registered({ tenant: app.tenant })
      yield* deployments.begin(Given.asked(other, { source: keyed(`${canary}c`) }))

      const rows = yield* dump
      assert.isTrue(rows.some((cell) => cell.includes('"keysDeleted": ["OTHER"]')))
      for (const form of [canary, value].flatMap(formsOf)) {
        assert.deepStrictEqual(
          rows.filter((cell) => cell.includes(form)),
          [],
          form
        )
      }

      assert.strictEqual(
        claim.source.type === "git" && Redacted.value(claim.source.deployKey ?? Redacted.make("")),
        pem(`${canary}b`)
      )
      assert.deepStrictEqual(Given.plain((yield* envs.read(app.id)).env), { NAME: `${value} again` })
      const first = yield* envs.readAt(app.id, Revision.make(1))
      assert.deepStrictEqual(Given.plain(first), { NAME: value, OTHER: "changed" })
    })
  )

  it.effect("H17: no table holds a variable, a deploy key or a Credential of a Run, in no form", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      const value = 'canary of a run: 100% "secret" & séance'
      const [web, db] = [Runs.names.web, Runs.names.db]
      const topology: Topology = {
        nodes: [
          { name: web, source: keyed(`${canary}r`), env: { TOKEN: Redacted.make(value) } },
          { name: db, source: Given.archive }
        ],
        steps: []
      }
      const claim = yield* Runs.begun({ topology })
      yield* runs.record(claim, { credentials: new Map([[db, Redacted.make(`${value} of the db`)]]) })
      const rows = yield* dump
      assert.include(rows, claim.run.id)
      for (const form of [`${canary}r`, value].flatMap(formsOf)) {
        assert.deepStrictEqual(
          rows.filter((cell) => cell.includes(form)),
          [],
          form
        )
      }
      yield* Runs.ended(claim, "pending")
      const sql = yield* SqlClient.SqlClient
      const kept = yield* sql`select num_nonnulls(secrets, credentials) as kept from runs where id = ${claim.run.id}`
      assert.deepStrictEqual(kept, [{ kept: 0 }])
    })
  )

  it.effect("a Deployment keeps the key that its App had when it began, at the ref that was asked for", () =>
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered({ source: keyed(canary) })
      const begun = yield* Given.begun(app, { ref: GitRef.make("v2") })
      yield* apps.change(app.id, { source: Given.archive })
      const claim = yield* deployments.admit({
        replica: yield* Given.freshReplica,
        terms: Given.longTerms,
        deployment: begun.id
      })
      const source = claim?.source
      if (source?.type !== "git") return assert.fail("a Claim with a Git source")
      assert.strictEqual(Redacted.value(source.deployKey ?? Redacted.make("")), pem(canary))
      assert.strictEqual(source.ref, "v2")
      yield* cancelledTogether(claim === undefined ? [] : [claim])
      const again = yield* Given.claimed(app)
      assert.deepStrictEqual(again.source, Given.archive)
    })
  )

  it.effect(
    "B11: no table holds what a request with an idempotency key was answered, and a moved answer does not open",
    () =>
      Effect.gen(function* () {
        const [sql, store] = [yield* SqlClient.SqlClient, yield* IdempotencyStore]
        const [request, other] = [yield* Given.freshReservation(), yield* Given.freshReservation()]
        const answer = `{"status":200,"body":"canary ${canary} & séance"}`
        for (const reservation of [request, other]) {
          yield* store.reserve(reservation)
          yield* store.complete(reservation, Redacted.make(answer))
        }
        const rows = yield* dump
        assert.include(rows, request.fingerprint)
        for (const form of [canary, answer].flatMap(formsOf)) {
          assert.deepStrictEqual(
            rows.filter((cell) => cell.includes(form)),
            [],
            form
          )
        }
        yield* sql`update idempotency_keys k set sealed = o.sealed from idempotency_keys o
        where k.key = ${request.key} and o.key = ${other.key}`
        assert.strictEqual(yield* reasonOf(store.reserve(yield* Given.reservedAgain(request))), "corrupt")
        const outcome = yield* store.reserve(yield* Given.reservedAgain(other))
        assert.strictEqual(outcome._tag === "Answered" && Redacted.value(outcome.answer), answer)
      })
  )

  it.effect("text that a text column refuses is kept readable: NUL and lone surrogates are replaced", () =>
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered())
      const detail = "a\0b\uD800c"
      const ended = yield* deployments.finish(claim, { status: "failed", error: { code: "build_failed", detail } })
      assert.strictEqual(ended.error?.detail, "a\uFFFDb\uFFFDc")
    })
  )
})
