// kill -9 at every step of a deployment: nothing that it started lives on, and the next start makes it good.

import { assert, layer, vi } from "@effect/vitest"
import type { Source } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Effect } from "effect"
import type { Files } from "../harness/archiveServer.ts"
import { describeWith } from "../harness/capability.ts"
import { ask, begin, deploy, deployedApp, ended, logText, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { byFlavour, flavour, killApp } from "../harness/flavour.ts"
import { GitWorld, sourceOver } from "../harness/gitWorld.ts"
import { hold, isHeld, letGo } from "../harness/holds.ts"
import { processesWith } from "../harness/processes.ts"
import { stopServer } from "../harness/server.ts"
import { tcpProxy } from "../harness/tcpProxy.ts"
import { type Answer, deafApp, exitingApp, goodApp, silentApp, slowlyBuilt } from "../harness/testApp.ts"
import { buildBegins, comesToRest, footprint, type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const sourceOf = (files: Files) => Effect.flatMap(World, ({ archives }) => archives.source(files))

/** An App whose first version serves, and what is deployed to it next. */
const victim = Effect.fnUntraced(function* ({ client }: Running, moment: string, files = goodApp(`${moment}-1`)) {
  const app = yield* deployedApp(client, yield* sourceOf(files))
  return { moment, id: app.id, url: app.url, before: `${moment}-1`, next: `${moment}-2` }
})

interface Victim extends Effect.Success<ReturnType<typeof victim>> {}

interface Attempt {
  readonly victim: Victim
  readonly deployment: string
}

const attempt = Effect.fnUntraced(function* ({ client }: Running, victim: Victim, source?: Source) {
  const { id } = yield* begin(client, victim.id, { source: source ?? (yield* sourceOf(goodApp(victim.next))) })
  const begun: Attempt = { victim, deployment: id }
  return begun
})

const kill = Effect.fnUntraced(function* (server: Running) {
  const { place } = yield* World
  assert.deepStrictEqual(yield* stopServer(server, "SIGKILL"), { code: null, signal: "SIGKILL" })
  if (flavour === "docker") return
  const living = Effect.sync(() => processesWith(`HOME=${place.dataDir}/work/`))
  yield* eventually("all that it has started ends with the server", living, ({ length }) => length === 0, "5 seconds")
})

/** What the next start has to make of it: the old versions serve, everything is over, and deploys are taken. */
const isMadeGood = Effect.fnUntraced(function* (attempts: ReadonlyArray<Attempt>) {
  const { client } = yield* start()
  for (const { deployment, victim } of attempts) {
    const { error, status } = yield* ended(client, deployment, "15 seconds")
    assert.deepStrictEqual([victim.moment, status, error?.code], [victim.moment, "failed", "lease_lost"])
    yield* serves(victim.url, victim.before, "15 seconds")
    const log = yield* logText(client, deployment)
    assert.include(log, "lost its lease", victim.moment)
  }
  yield* comesToRest
  for (const { victim } of attempts) {
    const source = yield* sourceOf(goodApp(`${victim.moment}-3`))
    const { error, status } = yield* deploy(client, victim.id, { source })
    assert.deepStrictEqual([victim.moment, status, error], [victim.moment, "healthy", null])
    yield* serves(victim.url, `${victim.moment}-3`)
  }
  yield* comesToRest
  return client
})

const options = { excludeTestServices: true }

layer(World.layer(), options)("INV-1 INV-7 INV-13 U4 kill -9", (it) => {
  it.effect(
    "while the source is fetched, the image is built, the start is written down, or the app is not healthy yet",
    () =>
      Effect.gen(function* () {
        const { archives, sql } = yield* World
        const server = yield* start()
        const fetching = yield* victim(server, "fetch")
        const building = yield* victim(server, "build")
        const intending = yield* victim(server, "intend")
        const waiting = yield* victim(server, "wait")
        const large = yield* archives.source(slowlyBuilt(building.next))
        const when = `new.app = '${intending.id}'`
        yield* hold(sql, { name: "intend", table: "intents", event: "insert", when })

        const fetched = yield* attempt(server, fetching, yield* archives.heldSource(goodApp(fetching.next)))
        const waited = yield* attempt(server, waiting, yield* sourceOf(silentApp))
        yield* eventually("the archive is asked for", Effect.sync(archives.held), (held) => held === 1)
        const said = logText(server.client, waited.deployment)
        yield* eventually("the app runs", said, (log) => log.includes("waiting until"))
        const built = yield* attempt(server, building, large)
        const intended = yield* attempt(server, intending)
        yield* isHeld(sql, "intend")
        yield* buildBegins

        yield* kill(server)
        const left = yield* footprint()
        assert.deepStrictEqual([left.active, left.slots, left.fetches > 1], [4, 4, true])
        assert.strictEqual(left.partialBuilds, byFlavour({ docker: left.partialBuilds, process: 1 }))
        yield* letGo(sql)
        yield* isMadeGood([fetched, built, intended, waited])
      })
  )

  it.effect(
    "INV-8 once the new version runs: before it is known, while traffic is switched, and before it is said to be healthy",
    () =>
      Effect.gen(function* () {
        const { sql } = yield* World
        const server = yield* start()
        const confirming = yield* victim(server, "confirm")
        const switching = yield* victim(server, "switch")
        const finishing = yield* victim(server, "finish")
        const retiring = yield* victim(server, "retire", deafApp("retire-1"))
        const of = ({ id }: Victim) => `new.app = '${id}'`
        const event = "update"
        const confirm = `${of(confirming)} and new.confirmed_at is not null`
        const applied = `${of(switching)} and old.progress = 'wanted' and new.progress <> 'wanted'`
        yield* hold(sql, { name: "confirm", table: "intents", event, when: confirm })
        yield* hold(sql, { name: "switch", table: "routes", event, when: applied })
        yield* hold(sql, { name: "finish", table: "releases", event: "insert", when: of(finishing) })

        const finished = yield* attempt(server, finishing)
        yield* isHeld(sql, "finish")
        const { deployment } = yield* attempt(server, retiring)
        assert.strictEqual((yield* ended(server.client, deployment)).status, "healthy")
        const confirmed = yield* attempt(server, confirming)
        const switched = yield* attempt(server, switching)
        yield* Effect.all([isHeld(sql, "confirm"), isHeld(sql, "switch")])

        yield* kill(server)
        assert.deepStrictEqual((yield* footprint()).active, 3)
        yield* letGo(sql)
        const client = yield* isMadeGood([finished, confirmed, switched])
        assert.strictEqual((yield* client.deployments.get({ params: { deployment } })).status, "healthy")
        yield* serves(retiring.url, retiring.next)
      })
  )

  it.effect("INV-1 leaves queued deployments in the queue, and the next start carries them out", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const server = yield* start()
      const { client } = server
      const tenant = TenantName.make("capped")
      const apps = yield* Effect.forEach(["one", "two", "three", "four"], (name) =>
        Effect.flatMap(archives.heldSource(goodApp(name)), (source) => makeApp(client, { tenant, source }))
      )
      const [one, , , four] = yield* Effect.forEach(apps, ({ id }) => begin(client, id))
      if (one === undefined || four === undefined) return assert.fail("four deployments have begun")
      yield* eventually("three are in progress", Effect.sync(archives.held), (held) => held === 3)
      const queued = yield* client.deployments.get({ params: { deployment: four.id } })
      assert.deepStrictEqual([queued.status, queued.queuePosition], ["queued", 1])

      yield* kill(server)
      const next = yield* start()
      assert.strictEqual((yield* ended(next.client, one.id)).error?.code, "lease_lost")
      yield* eventually("the queued one is carried out", Effect.sync(archives.held), (held) => held === 1)
      const taken = yield* next.client.deployments.get({ params: { deployment: four.id } })
      assert.deepStrictEqual([taken.status, taken.queuePosition, taken.error], ["building", null, null])
    })
  )

  it.effect("INV-8 of an app alone: it is started again, also after a deploy of it has failed", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const { id, url } = yield* victim(server, "alone")
      const first = yield* serves(url, "alone-1")
      yield* killApp(first)
      const isAnother = (other: Answer) => (answer: Answer) => answer.instance !== other.instance
      const second = yield* eventually("another process serves", serves(url, "alone-1"), isAnother(first))

      const failed = yield* deploy(server.client, id, { source: yield* sourceOf(exitingApp("no")) })
      assert.strictEqual(failed.error?.code, "start_failed")
      yield* killApp(second)
      yield* eventually("yet another serves", serves(url, "alone-1"), isAnother(second))
      yield* comesToRest
    })
  )

  it.effect("INV-2 INV-8 and a deploy at once after the next start: the new version serves, alone", () =>
    Effect.gen(function* () {
      let server = yield* start()
      const app = yield* victim(server, "hasty")
      for (const version of ["hasty-2", "hasty-3", "hasty-4"]) {
        yield* kill(server)
        server = yield* start()
        const { error, status } = yield* deploy(server.client, app.id, { source: yield* sourceOf(goodApp(version)) })
        assert.deepStrictEqual([status, error], ["healthy", null])
        yield* serves(app.url, version)
        yield* comesToRest
        assert.strictEqual((yield* ask(app.url)).status, 200)
      }
    })
  )

  describeWith("git", "sshd")("with git", () => {
    it.layer(GitWorld.layer)((it) => {
      it.effect(
        "U2 INV-12 while a repository is fetched: the key and what was fetched are swept at the next start",
        () =>
          Effect.gen(function* () {
            const git = yield* GitWorld
            const proxy = yield* tcpProxy({ host: "127.0.0.1", port: git.server.port })
            const server = yield* start()
            yield* proxy.stall
            const { id } = yield* makeApp(server.client)
            const deployment = yield* begin(server.client, id, { source: sourceOver(git, proxy) })
            yield* eventually("ssh connects", Effect.sync(proxy.open), (open) => open > 0)

            yield* kill(server)
            const held = byFlavour({ docker: ["container", "volume"], process: ["file"] })
            assert.deepStrictEqual((yield* footprint()).keys, held.length)

            yield* proxy.resume
            const { client } = yield* start()
            yield* eventually("the key is gone", footprint(), ({ keys }) => keys === 0, "5 seconds")
            assert.strictEqual((yield* ended(client, deployment.id)).error?.code, "lease_lost")
            const { status } = yield* deploy(client, id, { source: sourceOver(git, proxy) })
            assert.strictEqual(status, "healthy")
            yield* comesToRest
          })
      )
    })
  })
})
