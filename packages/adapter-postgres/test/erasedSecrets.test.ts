// What the database has of a deleted App: no secret, and who changed which names when. Those of Apps that were deleted before
// there was migration 10 are erased by it.

import { assert, describe, it } from "@effect/vitest"
import type { AppId } from "@lockkeeper/core/domain/App"
import { GitSource, GitUrl } from "@lockkeeper/core/domain/Source"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { SealedSecrets } from "@lockkeeper/core/port/SealedSecrets"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../../test/harness/database.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import { apply, migrations } from "../src/PostgresMigrations.ts"
import { secretsOf } from "./support/keptSecrets.ts"
import { cipher, opened, putStatus } from "./support/stores.ts"

const client = Layer.unwrap(Effect.map(Database.TestDatabase, ({ url }) => layerClient({ url, maxConnections: 4 })))

const services = Layer.merge(Layer.provideMerge(client, Database.layer), cipher)

const source = GitSource.make({
  type: "git",
  url: GitUrl.make("https://code.example/team/app.git"),
  deployKey: Redacted.make("-----BEGIN PRIVATE KEY-----\nZXJhc2Vk\n-----END PRIVATE KEY-----\n")
})

/** An App with a deploy key, two changes of its Env, and a Deployment that has ended. */
const secretive = Effect.gen(function* () {
  const app = yield* Given.registered({ source })
  yield* Given.revised(app, { FIRST: "1" })
  yield* Given.revised(app, { SECOND: "2" })
  yield* (yield* DeploymentStore).withdraw((yield* Given.begun(app)).id)
  const [secrets, sql] = [yield* SecretCipher, yield* SqlClient.SqlClient]
  const whole = yield* secrets.seal(Redacted.make('{"FIRST":"1","SECOND":"2"}'), `env/${app.id}/2`)
  yield* sql`insert into env_snapshots (app, revision, sealed) values (${app.id}, 2, ${whole})`
  return app
})

const deleted = Effect.fnUntraced(function* (app: AppId) {
  const apps = yield* AppStore
  yield* apps.mark(app, "deleting")
  const ending = (yield* apps.ending(1_000)).find((each) => each.app.id === app)
  return ending === undefined ? assert.fail("it does not end") : yield* apps.settle(ending)
})

/** The names that were changed, and by whom. */
const namesOf = Effect.fnUntraced(function* (app: AppId) {
  const sql = yield* SqlClient.SqlClient
  return yield* sql`select h ->> 'actor' as actor, h ->> 'keysSet' as names
    from env_changes, jsonb_array_elements(history) h where app = ${app} order by first`
})

const names = [
  { actor: "contract", names: '["FIRST"]' },
  { actor: "contract", names: '["SECOND"]' }
]

const onStores = Effect.provide(layerStores({ migrate: "elsewhere" }))

describe("the secrets of a deleted App", () => {
  it.live("INV-6 B8: are gone with it, the names stay, and no key is asked for because of them", () =>
    Effect.gen(function* () {
      yield* apply()
      yield* Effect.gen(function* () {
        const [app, other] = [yield* secretive, yield* secretive]
        const left = yield* Effect.flatMap(SealedSecrets, (secrets) => secrets.left)
        assert.strictEqual(yield* secretsOf(app.id), 5)
        assert.isTrue(yield* deleted(app.id))
        assert.strictEqual(yield* secretsOf(app.id), 0)
        assert.deepStrictEqual(yield* namesOf(app.id), names)
        assert.strictEqual(yield* secretsOf(other.id), 5)
        assert.strictEqual((yield* (yield* EnvStore).read(other.id)).env.size, 2)
        assert.strictEqual(yield* Effect.flatMap(SealedSecrets, (secrets) => secrets.left), left)
        const { unreadable } = yield* Effect.flatMap(SealedSecrets, (secrets) => secrets.reseal({ limit: 1_000 }))
        assert.deepStrictEqual(unreadable, [])
      }).pipe(onStores)
    }).pipe(Effect.provide(services))
  )

  it.live("INV-6: are gone, too, when they are written while whoever deletes it waits for its row", () =>
    Effect.gen(function* () {
      yield* apply()
      yield* Effect.gen(function* () {
        const [apps, sql] = [yield* AppStore, yield* SqlClient.SqlClient]
        const app = yield* secretive
        yield* apps.mark(app.id, "deleting")
        const ending = (yield* apps.ending(1_000)).find((each) => each.app.id === app.id)
        if (ending === undefined) return assert.fail("it does not end")
        const commit = yield* opened(sql`with held as (
            select id from apps where id = ${app.id} for no key update
          )
          insert into env_changes select app, 3, 3, operation, sealed, history, at from env_changes, held
          where app = held.id and first = 2`)
        const settling = yield* Effect.forkChild(apps.settle(ending))
        yield* Effect.repeat(
          sql`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
          {
            until: (rows) => rows.length > 0
          }
        )
        yield* commit
        assert.isTrue(yield* Fiber.join(settling))
        assert.strictEqual(yield* secretsOf(app.id), 0)
      }).pipe(onStores)
    }).pipe(Effect.provide(services))
  )

  it.live("INV-6: of one that was deleted before are erased by migration 10, and those of no other", () =>
    Effect.gen(function* () {
      yield* apply(migrations.filter(({ id }) => id < 10))
      yield* Effect.gen(function* () {
        const [app, stopped, other] = [yield* secretive, yield* secretive, yield* secretive]
        yield* putStatus(app.id, "deleted")
        yield* putStatus(stopped.id, "stopped")
        yield* apply()
        assert.strictEqual(yield* secretsOf(app.id), 0)
        assert.deepStrictEqual(yield* namesOf(app.id), names)
        assert.deepStrictEqual([yield* secretsOf(stopped.id), yield* secretsOf(other.id)], [5, 5])
        assert.strictEqual((yield* (yield* EnvStore).read(other.id)).env.size, 2)
      }).pipe(onStores)
    }).pipe(Effect.provide(services))
  )
})
