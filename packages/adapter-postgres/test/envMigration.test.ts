// What was stored of Envs before migration 3 is read after it as it was, and changed from there on.

import { assert, describe, it } from "@effect/vitest"
import { AppId } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../../test/harness/database.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import { apply, migrations } from "../src/PostgresMigrations.ts"
import { cipher } from "./support/stores.ts"

const client = Layer.unwrap(Effect.map(Database.TestDatabase, ({ url }) => layerClient({ url, maxConnections: 2 })))

const services = Layer.merge(Layer.provideMerge(client, Database.layer), cipher)

const app = AppId.make("app_old")

/** An App and three changes of its Env, as version 2 of the schema holds them. */
const old = Effect.gen(function* () {
  const [secrets, sql] = [yield* SecretCipher, yield* SqlClient.SqlClient]
  yield* sql`insert into tenants (name) values ('old')`
  yield* sql`insert into apps (id, tenant, name, status, health_check, host_port, created_at, updated_at)
    values (${app}, 'old', 'old', 'live', '{"intervalMillis":500,"timeoutSeconds":60}', 25000, now(), now())`
  const changes = ['{"A":"1"}', '{"B":"2"}', '{"A":null}']
  for (const [index, change] of changes.entries()) {
    const revision = index + 1
    const sealed = yield* secrets.seal(Redacted.make(change), `env/${app}/${revision}/change`)
    yield* sql`insert into env_revisions (app, revision, sealed_change, actor, keys_set, keys_deleted, total, at)
      values (${app}, ${revision}, ${sealed}, 'somebody', ${[["A"], ["B"], []][index] ?? []}::text[],
        ${revision === 3 ? ["A"] : []}::text[], ${[1, 2, 1][index]}, now())`
  }
  const sealed = yield* secrets.seal(Redacted.make('{"B":"2"}'), `env/${app}/3`)
  yield* sql`insert into envs (app, revision, sealed, bytes) values (${app}, 3, ${sealed}, 9)`
})

describe("migration 3", () => {
  it.live("INV-5: keeps each Env, every Revision of it, and who made it", () =>
    Effect.gen(function* () {
      yield* apply(migrations.filter(({ id }) => id <= 2))
      yield* old
      yield* apply()
      yield* Effect.gen(function* () {
        const [apps, envs] = [yield* AppStore, yield* EnvStore]
        const { env, revision } = yield* envs.read(app)
        assert.deepStrictEqual([Number(revision), Given.plain(env), env.bytes], [3, { B: "2" }, 9])
        assert.strictEqual(Number((yield* apps.get(app)).envRevision), 3)
        const earlier = yield* Effect.forEach([0, 1, 2], (number) => envs.readAt(app, Revision.make(number)))
        assert.deepStrictEqual(earlier.map(Given.plain), [{}, { A: "1" }, { A: "1", B: "2" }])
        const { items } = yield* envs.history(app, { limit: 10 })
        assert.deepStrictEqual(
          items.map(({ actor, keysDeleted, keysSet, revision: made, total }) => [
            Number(made),
            actor,
            keysSet.join(),
            keysDeleted.join(),
            total
          ]),
          [
            [3, "somebody", "", "A", 1],
            [2, "somebody", "B", "", 2],
            [1, "somebody", "A", "", 1]
          ]
        )
        const next = yield* Given.revised(yield* apps.get(app), { C: "3" })
        assert.strictEqual(Number(next.revision), 4)
      }).pipe(Effect.provide(layerStores({ migrate: "elsewhere" })))
    }).pipe(Effect.provide(services))
  )
})
