// Two servers on one database: whoever is asked, the answer is the same, and one of them leads the traffic.

import { assert, layer, vi } from "@effect/vitest"
import { AppName } from "@lockkeeper/core/domain/App"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Context, type Duration, Effect, Layer, Redacted, Result } from "effect"
import { readFileSync } from "node:fs"
import * as Path from "node:path"
import { ask, begin, deploy, deployedApp, ended, serves } from "../harness/deploying.ts"
import { byFlavour } from "../harness/flavour.ts"
import { eventually } from "../harness/eventually.ts"
import { call } from "../harness/http.ts"
import { makePlace, stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { footprint, type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** Two servers; the first one holds the router. */
class Pair extends Context.Service<Pair, { readonly first: Running; readonly second: Running }>()(
  "@lockkeeper/test/e2e/Pair"
) {
  static readonly layer = Layer.effect(
    Pair,
    Effect.gen(function* () {
      const { database, place } = yield* World
      const first = yield* start()
      yield* holdsRouter(first)
      const { LOCKKEEPER_APP_PORTS, LOCKKEEPER_SECRET_KEY_FILE } = place.env
      const shared = { LOCKKEEPER_APP_PORTS, LOCKKEEPER_SECRET_KEY_FILE }
      const other = yield* makePlace(database, definedOf(shared))
      const tokens = [place, other].map(({ token }) => `ops:${Redacted.value(token)}=*`)
      return { first, second: yield* start(other, { LOCKKEEPER_TOKENS: tokens.join() }) }
    })
  ).pipe(Layer.provideMerge(World.layer()))
}

const definedOf = (env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))

const holdsRouter = (server: Running, within: Duration.Input = "20 seconds") =>
  eventually(
    "it holds the router",
    Effect.sync(() => server.output().includes("this replica holds the router")),
    (holds) => holds,
    within
  )

const replicaOf = ({ place }: Running): string =>
  readFileSync(Path.join(place.dataDir, "private", "replica-id"), "utf8")

/** Who runs anything of an App. */
const runsOn = Effect.fnUntraced(function* (app: string) {
  const { sql } = yield* World
  const rows = yield* sql<{ readonly replica: string }>`select replica from intents
    where app = ${app} and released_at is null`
  return rows.map(({ replica }) => replica)
})

/** How many Apps run on a server, or did when it was killed. */
const appsOn = Effect.fnUntraced(function* (server: Running) {
  const { sql } = yield* World
  const rows = yield* sql`select distinct app from intents
    where replica = ${replicaOf(server)} and released_at is null`
  return rows.length
})

/** An App whose process runs on this server: usually the one that was asked. */
const appOn = Effect.fnUntraced(function* (server: Running, version: string) {
  const { archives } = yield* World
  const source = yield* archives.source(goodApp(version))
  const placed = Effect.flatMap(deployedApp(server.client, source), (app) =>
    Effect.map(runsOn(app.id), (replicas) => ({ ...app, replicas }))
  )
  const isHere = ({ replicas }: Effect.Success<typeof placed>) => replicas[0] === replicaOf(server)
  return yield* eventually(`${version} runs on the server that was asked`, placed, isHere)
})

layer(Pair.layer, { excludeTestServices: true })("INV-2 H22 two servers on one database", (it) => {
  it.effect("both answer, both deploy, and an app is reached wherever it runs", () =>
    Effect.gen(function* () {
      const { first, second } = yield* Pair
      for (const server of [first, second]) {
        const { status, text } = yield* call(server, "/readyz")
        assert.deepStrictEqual([status, text], [200, `{"status":"ready"}`])
      }
      assert.notInclude(second.output(), "this replica holds the router")
      const here = yield* appOn(first, "here")
      const there = yield* appOn(second, "there")
      yield* serves(here.url, "here")
      yield* serves(there.url, "there")
      const seen = yield* first.client.apps.get({ params: { app: there.id } })
      assert.deepStrictEqual([seen.url, seen.currentRelease], [there.url, there.currentRelease])
    })
  )

  it.effect("E1 INV-5 keep every change to one env that comes to both at once", () =>
    Effect.gen(function* () {
      const { first, second } = yield* Pair
      const { body: app } = yield* first.client.apps.create({
        payload: { tenant: TenantName.make("shared"), name: AppName.make("env") }
      })
      const names = Array.from({ length: 16 }, (_, index) => `KEY_${index}`)
      yield* Effect.forEach(
        names,
        (name, index) =>
          (index % 2 === 0 ? first : second).client.apps.mergeEnv({
            params: { app: app.id },
            query: {},
            headers: {},
            payload: { env: { [name]: name.toLowerCase() } }
          }),
        { concurrency: "unbounded" }
      )
      for (const { client } of [first, second]) {
        const { body } = yield* client.apps.readEnv({ params: { app: app.id }, query: { reveal: "true" } })
        assert.deepStrictEqual(body.env, Object.fromEntries(names.map((name) => [name, name.toLowerCase()])))
        assert.strictEqual(body.revision, names.length)
      }
    })
  )

  it.effect("B11 X4 of twenty requests with one idempotency key that come to both at once, one is carried out", () =>
    Effect.gen(function* () {
      const { first, second } = yield* Pair
      const token = Redacted.value(first.place.token)
      const headers = { "idempotency-key": "twenty at once" }
      const make = (server: Running, name = "once") =>
        call(server, "/v1/apps", { body: { tenant: "keyed", name }, headers, token })
      const all = yield* Effect.forEach(
        Array.from({ length: 20 }).keys(),
        (index) => make(index % 2 === 0 ? first : second),
        { concurrency: "unbounded" }
      )
      const made = all.filter(({ status }) => status === 201)
      const codes = all.filter(({ status }) => status !== 201).map(({ fields }) => fields["code"])
      assert.lengthOf([...new Set(made.map(({ text }) => text))], 1)
      assert.lengthOf(
        made.filter((answer) => answer.headers.get("idempotency-replayed") === null),
        1
      )
      assert.notInclude(codes, "app_name_taken")
      assert.includeMembers(["idempotency_in_progress"], [...new Set(codes)])
      for (const server of [first, second]) {
        const again = yield* make(server)
        assert.deepStrictEqual([again.text, again.headers.get("idempotency-replayed")], [made[0]?.text, "true"])
        assert.strictEqual((yield* make(server, "other")).fields["code"], "idempotency_key_reused")
      }
      const { fields } = yield* call(first, "/v1/apps?tenant=keyed")
      assert.lengthOf(JSON.parse(JSON.stringify(fields["items"])), 1)
    })
  )

  it.effect("INV-2 U5 U8 of twenty deploys of one app that come to both at once, one is carried out", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { first, second } = yield* Pair
      const app = yield* appOn(first, "raced")
      const source = yield* archives.source(goodApp("winner"))
      const begun = yield* Effect.forEach(
        Array.from({ length: 20 }).keys(),
        (index) => Effect.result(begin((index % 2 === 0 ? first : second).client, app.id, { source })),
        { concurrency: "unbounded" }
      )
      const taken = begun.flatMap((result) => (Result.isSuccess(result) ? [result.success.id] : []))
      const refused = begun.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))
      assert.lengthOf(taken, 1)
      for (const error of refused) {
        const active = error._tag === "DeploymentInProgress" ? error.activeDeployment : undefined
        assert.deepStrictEqual([error._tag, active], ["DeploymentInProgress", taken[0]])
      }
      assert.strictEqual((yield* ended(second.client, taken[0] ?? "")).status, "healthy")
      yield* serves(app.url, "winner")
      const all = runsOn(app.id)
      yield* eventually("one process is left", all, (on) => on.length === 1)
    })
  )

  it.effect(
    "INV-13 H31 the other takes the router over from one that is killed, and deploys what was lost with it",
    () =>
      Effect.gen(function* () {
        const { archives } = yield* World
        const { first, second } = yield* Pair
        const lost = yield* appOn(first, "lost")
        const kept = yield* appOn(second, "kept")
        const { instance } = yield* serves(kept.url, "kept")

        yield* stopServer(first, "SIGKILL")
        assert.strictEqual((yield* ask(kept.url)).status, 0)
        assert.strictEqual((yield* call(second, "/readyz")).status, 200)
        yield* holdsRouter(second, "15 seconds")
        assert.strictEqual((yield* serves(kept.url, "kept", "5 seconds")).instance, instance)
        const { status } = yield* ask(lost.url)
        assert.include(byFlavour({ docker: [200], process: [0, 502] }), status)

        const source = yield* archives.source(goodApp("found"))
        assert.strictEqual((yield* deploy(second.client, lost.id, { source })).status, "healthy")
        yield* serves(lost.url, "found")
        const all = runsOn(lost.id)
        yield* eventually("the lost process is written off", all, (on) => on.join() === replicaOf(second))
      })
  )

  it.effect(
    "X14 the one that comes back starts its own apps again, and takes the router over from one that stops",
    () =>
      Effect.gen(function* () {
        const { archives, place } = yield* World
        const { second } = yield* Pair
        const first = yield* start()
        const { items } = yield* first.client.apps.list({ query: {} })
        const app = items.find(({ url }) => url !== null)?.id ?? ""
        const own = yield* appsOn(first)
        assert.isAbove(own, 0)
        yield* eventually("its apps run again", footprint(place), ({ running }) => running === own)

        assert.deepStrictEqual(yield* stopServer(second, "SIGTERM"), { code: 0, signal: null })
        yield* holdsRouter(first)
        const source = yield* archives.source(goodApp("moved"))
        const { error, status } = yield* deploy(first.client, app, { source })
        assert.deepStrictEqual([status, error], ["healthy", null])
        const { url } = yield* first.client.apps.get({ params: { app } })
        yield* serves(url ?? "", "moved")
      })
  )
})
