// The typed client against a real server: a method per route, and problems as errors by their tags.
import { AppId, AppName, DeploymentId } from "@lockkeeper/core/domain/App"
import { archive } from "@lockkeeper/core/testing/Fixture"
import { DeliveryId } from "@lockkeeper/core/domain/Deployment"
import { Revision } from "@lockkeeper/core/domain/Env"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { assert, describe } from "@effect/vitest"
import { DateTime, Effect, Redacted, Stream } from "effect"
import type { Deployment } from "../src/api/Objects.ts"
import * as Client from "../src/Client.ts"
import { live } from "./support/call.ts"
import { type MemoryServerOptions, startServer, tokens } from "./support/memoryServer.ts"

const tenant = TenantName.make("acme")
const name = AppName.make("web")

const connected = Effect.fnUntraced(function* (token: string, options: MemoryServerOptions = {}) {
  const { baseUrl } = yield* startServer(options)
  return yield* Client.make({ baseUrl, token: Redacted.make(token) })
})

/** A Deployment, whether it came with headers (202) or without (200). */
const deploymentOf = (answer: Deployment | { readonly body: Deployment }): Deployment =>
  "body" in answer ? answer.body : answer

/** The tag of the error that a call fails with. */
const tagOf = <A, E extends { readonly _tag: string }, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(call), ({ _tag }) => _tag)

describe("Client", () => {
  live("X13 deploys an App and shows what came of it", () =>
    Effect.gen(function* () {
      const client = yield* connected(tokens.acme, { work: "carried out" })
      const { body: created, headers } = yield* client.apps.create({ payload: { tenant, name, source: archive } })
      const params = { app: created.id }
      assert.isTrue(DateTime.isDateTime(created.createdAt))
      assert.strictEqual(headers.location, `/v1/apps/${created.id}`)

      const env = { A: "1", B: null }
      const changed = yield* client.apps.mergeEnv({ params, query: {}, headers: {}, payload: { env } })
      const masked = { A: "***" }
      const revision = Revision.make(1)
      assert.deepStrictEqual(changed.body, { revision, keysSet: 1, keysDeleted: 0, total: 1, env: masked })
      assert.strictEqual(changed.headers.etag, '"1"')
      const shown = yield* client.apps.readEnv({ params, query: { reveal: "true" } })
      assert.deepStrictEqual(shown.body.env, { A: "1" })

      const begun = deploymentOf(yield* client.deployments.begin({ params, payload: null }))
      const lines = yield* client.deployments.logs({
        params: { deployment: begun.id },
        query: { follow: "true" },
        headers: {}
      })
      const items = yield* Stream.runCollect(lines)
      assert.deepStrictEqual(items.at(-1), { seq: items.length, end: true, status: "healthy" })

      const app = yield* client.apps.get({ params })
      const { items: deployments } = yield* client.deployments.list({ params, query: {} })
      assert.deepStrictEqual(deployments, [yield* client.deployments.get({ params: { deployment: begun.id } })])
      assert.strictEqual(app.currentRelease, deployments[0]?.release)
      assert.deepStrictEqual((yield* client.apps.list({ query: { tenant, limit: 1 } })).items, [app])
      assert.strictEqual((yield* client.tenants.get({ params: { tenant } })).running, 0)
    })
  )

  live("X13 answers the same Deployment for a delivery seen before", () =>
    Effect.gen(function* () {
      const client = yield* connected(tokens.acme)
      const { body } = yield* client.apps.create({ payload: { tenant, name, source: archive } })
      const { id: app } = body
      const trigger = { kind: "webhook" as const, deliveryId: DeliveryId.make("delivery-1") }
      const begin = client.deployments.begin({ params: { app }, payload: { trigger } })
      assert.deepStrictEqual(deploymentOf(yield* begin), deploymentOf(yield* begin))
    })
  )

  live("X4 B11 X13 sends what is called under a key once, and other calls without one", () =>
    Effect.gen(function* () {
      const client = yield* connected(tokens.acme)
      const create = (app: AppName) => client.apps.create({ payload: { tenant, name: app, source: archive } })
      const keyed = create(name).pipe(Client.withIdempotencyKey("create web"))
      const [first, again] = [yield* keyed, yield* keyed]
      assert.deepStrictEqual(again.body, first.body)
      assert.strictEqual(yield* tagOf(create(name)), "AppNameTaken")
      const other = create(AppName.make("other")).pipe(Client.withIdempotencyKey("create web"))
      assert.strictEqual(yield* tagOf(other), "IdempotencyKeyReused")
      const empty = create(AppName.make("empty")).pipe(Client.withIdempotencyKey(""))
      assert.strictEqual(yield* tagOf(empty), "InvalidBody")
      assert.strictEqual((yield* keyed.pipe(Effect.andThen(client.apps.list({ query: { tenant } })))).items.length, 1)
    })
  )

  live("X13 fails with the problem, by its tag and with its fields", () =>
    Effect.gen(function* () {
      const client = yield* connected(tokens.acme)
      const create = client.apps.create({ payload: { tenant, name, source: archive } })
      const params = { app: (yield* create).body.id }
      const first = deploymentOf(yield* client.deployments.begin({ params, payload: {} }))

      assert.strictEqual(yield* tagOf(create), "AppNameTaken")
      assert.strictEqual(yield* tagOf(client.apps.get({ params: { app: AppId.make("app_missing") } })), "NotFound")
      const missing = { deployment: DeploymentId.make("dep_missing") }
      assert.strictEqual(yield* tagOf(client.deployments.logs({ params: missing, query: {}, headers: {} })), "NotFound")
      const active = yield* client.deployments.begin({ params, payload: {} }).pipe(
        Effect.as(undefined),
        Effect.catchTag("DeploymentInProgress", ({ activeDeployment }) => Effect.succeed(activeDeployment))
      )
      assert.strictEqual(active, first.id)
      const stale = { params, query: {}, headers: { "if-match": '"7"' }, payload: { env: { A: "1" } } }
      const actual = yield* client.apps.mergeEnv(stale).pipe(
        Effect.as(undefined),
        Effect.catchTag("RevisionMismatch", ({ actual }) => Effect.succeed(actual))
      )
      assert.strictEqual(actual, 0)
      const badKey = { ...stale, headers: {}, payload: { env: { "not a key": "1" } } }
      assert.strictEqual(yield* tagOf(client.apps.mergeEnv(badKey)), "InvalidEnvKey")
    })
  )

  live("X13 with a wrong token is Unauthorized, and health needs none", () =>
    Effect.gen(function* () {
      const client = yield* connected("wrong", { notReady: ["DatabaseAway"] })
      assert.strictEqual(yield* tagOf(client.apps.list({ query: {} })), "Unauthorized")
      assert.strictEqual((yield* client.health()).status, "ok")
      const why = yield* client.ready().pipe(
        Effect.as([]),
        Effect.catchIf(
          (error) => "reasons" in error,
          ({ reasons }) => Effect.succeed(reasons)
        )
      )
      assert.deepStrictEqual(why, ["DatabaseAway"])
    })
  )
})
