// A row that is not what it must be is an error that says so. It is never read as a default, never written over, and
// stands in nobody else's way.

import { assert, layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { inspect } from "node:util"
import * as PostgresEnvStore from "../src/PostgresEnvStore.ts"
import { stores } from "./support/stores.ts"

const canary = "canary-in-a-corrupt-env"

/** Asserts that this call says `corrupt`, and that the row of this table and key is the same afterwards, to the byte. */
const leaves = Effect.fnUntraced(function* <A, E, R>(
  table: string,
  key: string,
  value: string,
  call: Effect.Effect<A, E, R>
) {
  const sql = yield* SqlClient.SqlClient
  const row = sql<{ row: string }>`select t::text as row from ${sql(table)} t where ${sql(key)} = ${value} order by 1`
  const before = yield* row
  assert.isNotEmpty(before)
  const error = yield* Effect.flip(call)
  if (!(error instanceof StoreError)) return assert.fail(`it failed with ${String(error)}`)
  assert.strictEqual(error.reason, "corrupt")
  assert.notInclude(inspect(error, { depth: 10 }), canary)
  assert.deepStrictEqual(yield* row, before)
})

const revisedTwice = Effect.gen(function* () {
  const app = yield* Given.registered()
  yield* Given.revised(app, { SECRET: canary })
  yield* Given.revised(app, { OTHER: "value" })
  return app
})

/** Calls of a store that did not read or write the Env before. */
const calls = (app: App) => {
  const anew = Effect.provide(Layer.fresh(PostgresEnvStore.layer))
  return {
    read: anew(Effect.flatMap(EnvStore, (envs) => envs.read(app.id))),
    revise: anew(Given.revised(app, { NEW: "value" })),
    readFirst: anew(Effect.flatMap(EnvStore, (envs) => envs.readAt(app.id, Revision.make(1))))
  }
}

/** Writes the whole Env after its second change, as is done after many. */
const putWhole = Effect.fnUntraced(function* (app: App, json: string, place = `env/${app.id}/2`) {
  const [secrets, sql] = [yield* SecretCipher, yield* SqlClient.SqlClient]
  const sealed = yield* secrets.seal(Redacted.make(json), place)
  yield* sql`insert into env_snapshots (app, revision, sealed) values (${app.id}, 2, ${sealed})`
})

layer(stores(), { excludeTestServices: true })("E10: a corrupt row", (it) => {
  it.effect("of an Env is no empty Env: it is not read, not merged into and not replaced", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const damages = {
        flipped: sql`set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)`,
        cut: sql`substring(sealed from 1 for 20)`,
        empty: sql`''::bytea`,
        plain: sql`convert_to('{}', 'UTF8')`
      }
      for (const damaged of Object.values(damages)) {
        const app = yield* revisedTwice
        yield* sql`update env_changes set sealed = ${damaged} where app = ${app.id} and first = 2`
        const { read, revise } = calls(app)
        yield* leaves("env_changes", "app", app.id, read)
        yield* leaves("env_changes", "app", app.id, revise)
      }
    })
  )

  it.effect("of an Env whose seal is whole, but which holds no Env, is refused without a word of what it holds", () =>
    Effect.gen(function* () {
      for (const json of ["", "[]", `{"not a key":"${canary}"}`, `{"KEY":["${canary}"]}`, `{"KEY":"${canary}"`]) {
        const app = yield* revisedTwice
        yield* putWhole(app, json)
        const { read, revise } = calls(app)
        yield* leaves("env_snapshots", "app", app.id, read)
        yield* leaves("env_snapshots", "app", app.id, revise)
      }
    })
  )

  it.effect("of an Env that was sealed for another App or another revision is not taken for this one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [one, other] = [yield* revisedTwice, yield* revisedTwice]
      yield* sql`update env_changes c set sealed = o.sealed from env_changes o
        where c.app = ${one.id} and o.app = ${other.id} and c.first = 1 and o.first = 1`
      yield* leaves("env_changes", "app", one.id, calls(one).read)
      yield* putWhole(other, "{}", `env/${other.id}/1`)
      yield* leaves("env_snapshots", "app", other.id, calls(other).revise)
    })
  )

  it.effect("among the revisions, or one that is missing, is noticed when an older Env is read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [one, other] = [yield* revisedTwice, yield* revisedTwice]
      yield* sql`update env_changes set sealed = '\\x01' where app = ${one.id} and first = 1`
      yield* leaves("env_changes", "app", one.id, calls(one).readFirst)
      yield* sql`alter table env_changes disable trigger hold_env_changes`
      yield* sql`delete from env_changes where app = ${other.id} and first = 1`
      yield* leaves("env_changes", "app", other.id, calls(other).readFirst)
      const last = yield* revisedTwice
      yield* sql`delete from env_changes where app = ${last.id} and first = 2`
      yield* sql`alter table env_changes enable trigger hold_env_changes`
      yield* leaves("env_changes", "app", last.id, calls(last).revise)
    })
  )

  it.effect("of an App is neither answered nor deployed", () =>
    Effect.gen(function* () {
      const [apps, deployments, sql] = [yield* AppStore, yield* DeploymentStore, yield* SqlClient.SqlClient]
      const damages = [
        sql`source = '{"type":"git"}'`,
        sql`source = '[]'`,
        sql`source = '{"type":"git","url":"https://code.example/app"}', source_secret = '\\x00'`,
        sql`health_check = '{}'`,
        sql`policy = 'whenever'`
      ]
      for (const [index, damage] of damages.entries()) {
        const app = yield* Given.registered()
        yield* sql`update apps set ${damage} where id = ${app.id}`
        if (index !== 2) yield* leaves("apps", "id", app.id, apps.get(app.id))
        if (index !== 2) yield* leaves("apps", "id", app.id, apps.change(app.id, {}))
        if (index !== 3) yield* leaves("apps", "id", app.id, deployments.begin(Given.asked(app)))
      }
    })
  )

  it.effect("INV-1: of a queued or of an abandoned Deployment does not keep other Tenants' waiting", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const request = { replica: yield* Given.freshReplica, terms: Given.longTerms }
      const bad = yield* Given.begun(yield* Given.registered())
      const good = yield* Given.begun(yield* Given.registered())
      yield* sql`update deployments set trigger_kind = 'odd' where id = ${bad.id}`
      yield* leaves("deployments", "id", bad.id, deployments.get(bad.id))
      yield* leaves("deployments", "id", bad.id, deployments.admit({ ...request, deployment: bad.id }))
      assert.strictEqual((yield* deployments.admit(request))?.deployment.id, good.id)
      yield* deployments.withdraw(bad.id)

      const lost = yield* Given.claimed(yield* Given.registered())
      const found = yield* Given.claimed(yield* Given.registered())
      yield* sql`update deployments set policy = 'odd' where id = ${lost.deployment.id}`
      yield* deployments.abandon(lost.replica)
      yield* deployments.abandon(found.replica)
      const one = { ...request, deployment: lost.deployment.id }
      yield* leaves("deployments", "id", lost.deployment.id, deployments.claimAbandoned(one, 1))
      const taken = yield* deployments.claimAbandoned(request, 1)
      assert.deepStrictEqual(
        taken.map(({ deployment }) => deployment.id),
        [found.deployment.id]
      )
    })
  )

  it.effect("INV-1: of a Job that waits or is abandoned does not keep other Tenants' Jobs waiting", () =>
    Effect.gen(function* () {
      const [deployments, jobs, sql] = [yield* DeploymentStore, yield* JobStore, yield* SqlClient.SqlClient]
      const by = yield* Jobs.freshWorker()
      const damaged = (id: string) => sql`update jobs set command = '[]' where id = ${id}`
      const queued = Effect.gen(function* () {
        const { app } = yield* Jobs.released()
        yield* deployments.setCap(app.tenant, 0)
        const job = yield* Jobs.waitingJob({ app: app.id })
        return { job, free: deployments.setCap(app.tenant, 1) }
      })
      const [bad, good] = [yield* queued, yield* queued]
      yield* damaged(bad.job.id)
      yield* Effect.andThen(bad.free, good.free)
      yield* leaves("jobs", "id", bad.job.id, jobs.admitJob(by, bad.job.id))
      assert.strictEqual((yield* jobs.admit(by, 1))[0]?.job.id, good.job.id)
      assert.isEmpty(yield* jobs.admit(by, 1))
      assert.strictEqual((yield* jobs.requestCancel(bad.job.id)).status, "cancelled")

      const apps = [yield* Jobs.released(), yield* Jobs.released()]
      const claims = yield* Effect.forEach(apps, ({ app }) => Jobs.running({ app: app.id }))
      const [lost, found] = claims.map(({ job }) => job.id)
      yield* damaged(lost ?? "")
      for (const { replica } of claims) yield* jobs.abandon(replica)
      const row = sql`select j::text as row, s::text as slot from jobs j join slots s on s.job = j.id
        where j.id = ${lost ?? ""}`
      const before = yield* row
      const taken = yield* jobs.claimAbandoned(by, 1)
      assert.deepStrictEqual(
        taken.map(({ job }) => job.id),
        [found]
      )
      assert.lengthOf(before, 1)
      assert.deepStrictEqual(yield* row, before)
    })
  )

  it.effect("of an intent, a log or a route is not answered as something else", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { app, deployment, fence, replica } = yield* Given.claimed(yield* Given.registered())
      const name = yield* Given.freshWorkloadName
      const journal = yield* Journal
      yield* journal.intend({ name, app: app.id, work: deployment.id, fence, replica })
      yield* sql`update intents set workload = '{"id":"1"}', confirmed_at = now() where name = ${name}`
      yield* leaves("intents", "name", name, journal.held(app.id))

      const [logs, log] = [yield* LogStore, LogName.make(`deployment/${deployment.id}`)]
      yield* logs.append(log, [{ stream: "stdout", line: "said" }])
      yield* sql`update log_chunks set packed = convert_to('[["odd",null,["said"]]]', 'UTF8') where log = ${log}`
      yield* leaves("log_chunks", "log", log, logs.read(log, 0, 10))
      yield* leaves("log_chunks", "log", log, logs.cursor(log))

      const routes = yield* RouteStore
      yield* routes.put({ app: app.id, hostPort: app.hostPort, fence, address: null })
      yield* sql`update routes set progress = 'odd' where app = ${app.id}`
      yield* leaves("routes", "app", app.id, routes.get(app.id))
    })
  )
})
