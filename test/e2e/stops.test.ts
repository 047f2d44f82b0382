// Deployments that are stopped while they are under way: cancelled, and superseded by a newer one, asked of one server while
// another one carries them out.

import { assert, layer, vi } from "@effect/vitest"
import { DeliveryId } from "@lockkeeper/core/domain/Deployment"
import { Console, Duration, Effect, Redacted } from "effect"
import { begin, deployedApp, ended, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { byFlavour } from "../harness/flavour.ts"
import { atRest, type Footprint } from "../harness/footprint.ts"
import { soak } from "../harness/sample.ts"
import { makePlace } from "../harness/server.ts"
import { goodApp, silentApp } from "../harness/testApp.ts"
import { footprint, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

type Env = Readonly<Record<string, string>>

/** Another server on the database of the first one. */
const another = Effect.fnUntraced(function* (env: Env) {
  const { database, place } = yield* World
  const { LOCKKEEPER_APP_PORTS = "", LOCKKEEPER_SECRET_KEY_FILE = "" } = place.env
  const other = yield* makePlace(database, { LOCKKEEPER_APP_PORTS, LOCKKEEPER_SECRET_KEY_FILE })
  const tokens = [place, other].map(({ token }) => `ops:${Redacted.value(token)}=*`)
  return yield* start(other, { ...env, LOCKKEEPER_TOKENS: tokens.join() })
})

/** Who carries a Deployment out, once somebody does and its Workload runs. */
const underWay = Effect.fnUntraced(function* (deployment: string) {
  const { sql } = yield* World
  const rows = sql<{ readonly name: string }>`select name from intents
    where deployment = ${deployment} and confirmed_at is not null`
  yield* eventually(`${deployment} runs`, rows, (found) => found.length > 0)
})

/** Whether one App serves, and nothing is left of anything on a server that it does not run on. */
const isLeftAlone = (places: ReadonlyArray<Footprint>): boolean => {
  const isLike = (expected: Footprint) => (seen: Footprint) =>
    JSON.stringify(seen) === JSON.stringify({ ...seen, ...expected })
  const elsewhere = { ...atRest(1), running: 0, homes: 0 }
  return places.some(isLike(atRest(1))) && places.every((seen) => [atRest(1), elsewhere].some((is) => isLike(is)(seen)))
}

/** Which Deployments began while another one was in progress, as Events tell. */
const overlaps = (events: ReadonlyArray<{ readonly type: string; readonly subject: string }>) => {
  const running = new Set<string>()
  return events.flatMap(({ subject, type }) => {
    if (type === "deployment.building") {
      running.add(subject)
      return running.size > 1 ? [[...running]] : []
    }
    if (type !== "deployment.queued" && type !== "deployment.deploying") running.delete(subject)
    return []
  })
}

/** Ways in which servers hear of what another one was asked. */
const ways: ReadonlyArray<readonly [what: string, direct: (database: string) => Env, says: string]> = [
  ["by polling alone", () => ({}), "listening on"],
  ["with hints", (database) => ({ LOCKKEEPER_DIRECT_DATABASE_URL: database }), "hints of other replicas are heard"],
  [
    "by polling where the direct database is away",
    () => ({ LOCKKEEPER_DIRECT_DATABASE_URL: "postgres://lockkeeper@127.0.0.1:9/lockkeeper" }),
    "polling goes on: the direct connection to the database: connect ECONNREFUSED 127.0.0.1:9"
  ]
]

// How servers hear of each other is a matter of the database, so that on an engine one way is enough.
for (const [what, direct, says] of byFlavour({ docker: ways.slice(0, 1), process: ways })) {
  layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })(`a deployment under way, ${what}`, (it) => {
    it.effect("U3 X5 B30: is cancelled through another server within five seconds, and what served goes on", () =>
      Effect.gen(function* () {
        const { archives, database } = yield* World
        const env = direct(Redacted.value(database))
        const first = yield* start(undefined, env)
        const app = yield* deployedApp(first.client, yield* archives.source(goodApp("before")))
        const { id } = yield* begin(first.client, app.id, { source: yield* archives.source(silentApp) })
        yield* underWay(id)
        const second = yield* another(env)
        for (const { output } of [first, second]) {
          yield* eventually(`it says: ${says}`, Effect.sync(output), (said) => said.includes(says))
        }
        const [took, answer] = yield* Effect.timed(second.client.deployments.cancel({ params: { deployment: id } }))
        assert.isBelow(Duration.toMillis(took), 6_000)
        assert.deepStrictEqual([answer.status, answer.cancelling, answer.error], ["cancelled", false, null])
        assert.deepInclude(yield* footprint(), atRest(1))
        yield* serves(app.url, "before")
        const { activeDeployment } = yield* second.client.apps.get({ params: { app: app.id } })
        assert.isNull(activeDeployment)

        const older = yield* begin(first.client, app.id, { source: yield* archives.source(silentApp) })
        yield* underWay(older.id)
        const newer = yield* begin(second.client, app.id, {
          policy: "supersede",
          source: yield* archives.source(goodApp("newer"))
        })
        const [reacted, { status }] = yield* Effect.timed(ended(second.client, older.id))
        assert.strictEqual(status, "superseded")
        yield* Console.log(`${what}: cancelled ${Duration.format(took)}, superseded ${Duration.format(reacted)} later`)
        assert.strictEqual((yield* ended(second.client, newer.id)).status, "healthy")
        yield* serves(app.url, "newer")
        const both = Effect.all([footprint(), footprint(second.place)])
        yield* eventually("only the newer one is left, on one of them", both, isLeftAlone)
      })
    )
  })
}

layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })(
  "fifty webhooks at once, of two servers",
  (it) => {
    it.effect("U5 INV-2: the newest one comes to success, all others are superseded, and no two are in progress", () =>
      Effect.gen(function* () {
        const { archives, sql } = yield* World
        const first = yield* start()
        const second = yield* another({})
        const { id, url } = yield* deployedApp(first.client, yield* archives.source(goodApp("before")))
        const source = yield* archives.heldSource(goodApp("newest"))
        const asked = yield* Effect.forEach(
          Array.from({ length: 50 }).keys(),
          (index) =>
            begin((index % 2 === 0 ? first : second).client, id, {
              source,
              trigger: { kind: "webhook", deliveryId: DeliveryId.make(`delivery-${index}`) }
            }),
          { concurrency: "unbounded" }
        )
        yield* archives.letGo

        const ends = yield* Effect.forEach(asked, (deployment) => ended(first.client, deployment.id, "60 seconds"))
        const [newest, ...others] = ends.sort((one, other) => other.number - one.number)
        assert.strictEqual(newest?.status, "healthy")
        assert.deepStrictEqual([...new Set(others.map(({ status }) => status))], ["superseded"])
        assert.strictEqual(newest?.number, 51)
        yield* serves(url, "newest")
        const told = yield* sql<{ readonly type: string; readonly subject: string }>`select type, subject from events
        where app = ${id} and type like 'deployment.%' order by id`
        assert.deepStrictEqual(overlaps(told), [])
        const both = Effect.all([footprint(), footprint(second.place)])
        yield* eventually("only the newest one is left, on one of them", both, isLeftAlone)
        soak.count("U5 INV-2: fifty webhooks of two servers", { begun: asked.length, superseded: others.length })
        assert.lengthOf(others, 49)
      })
    )
  }
)

layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })("a release", (it) => {
  it.effect("X3: redeploy and rollback serve what they say, with the Env that they say", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const { id } = yield* makeApp(client, { source: yield* archives.source(goodApp("one")) })
      const params = { app: id }
      const merge = (value: string) =>
        client.apps.mergeEnv({ params, query: {}, headers: {}, payload: { env: { GREETING: value } } })
      yield* merge("hello")
      const first = yield* ended(client, (yield* begin(client, id)).id)
      assert.strictEqual(first.status, "healthy")
      yield* merge("bye")
      const again = yield* client.deployments.redeploy({ params, payload: null })
      assert.strictEqual((yield* ended(client, again.body.id)).status, "healthy")
      const { url } = yield* client.apps.get({ params })
      assert.isString(url)
      const said = yield* serves(String(url), "one")
      assert.strictEqual(said.env["GREETING"], "bye")

      const next = yield* begin(client, id, { source: yield* archives.source(goodApp("two")) })
      assert.strictEqual((yield* ended(client, next.id)).status, "healthy")
      yield* serves(String(url), "two")
      const back = yield* client.deployments.rollback({ params, payload: { release: String(first.release) } })
      assert.strictEqual((yield* ended(client, back.body.id)).status, "healthy")
      assert.strictEqual((yield* serves(String(url), "one")).env["GREETING"], "hello")
    })
  )
})
