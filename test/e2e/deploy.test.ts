// A first deploy and the next ones, as a user sees them through the typed client.

import { assert, describe, layer, vi } from "@effect/vitest"
import { GitRef } from "@lockkeeper/core/domain/Source"
import { Effect, Stream } from "effect"
import { describeWith } from "../harness/capability.ts"
import { begin, deploy, deployedApp, logOf, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { byFlavour } from "../harness/flavour.ts"
import { GitWorld } from "../harness/gitWorld.ts"
import { load } from "../harness/load.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, SharedServer, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const envState = (app: Effect.Success<ReturnType<typeof makeApp>>): ReadonlyArray<unknown> => [
  app.envRevision,
  app.deployedEnvRevision,
  app.envPending,
  app.url
]

layer(SharedServer.layer(), { excludeTestServices: true })("a server", (it) => {
  describe("with an archive", () => {
    it.effect("X1 serves what was sent, in exactly the promised environment, and says how it got there", () =>
      Effect.gen(function* () {
        const { client } = yield* SharedServer
        const { archives } = yield* World
        const { id, url } = yield* makeApp(client, { source: yield* archives.source(goodApp("archived")) })
        assert.isNull(url)
        const deployment = yield* begin(client, id)
        assert.strictEqual(deployment.number, 1)

        const log = yield* logOf(client, deployment.id, "true")
        assert.deepStrictEqual(
          log.map(({ seq }) => seq),
          log.map((_, index) => index + 1)
        )
        const last = log.at(-1)
        assert.deepStrictEqual(last, { seq: log.length, end: true, status: "healthy" })
        // It says so after it listens: a check may pass before, and then the line is in the app's log alone.
        const appLog = client.deployments
          .appLogs({ params: { app: id }, query: { follow: "false" }, headers: { accept: "application/x-ndjson" } })
          .pipe(Effect.flatMap(Stream.runCollect))
        const says = (items: typeof log) => items.some((item) => "line" in item && item.line === "app archived listens")
        if (!says(log)) yield* eventually("it says that it listens", appLog, says)

        const app = yield* client.apps.get({ params: { app: id } })
        assert.deepStrictEqual([app.deployedEnvRevision, app.envPending, app.activeDeployment], [0, false, null])
        const answer = yield* serves(app.url ?? "", "archived")
        const ofImage = ["HOST", "HOSTNAME", "NODE_ENV", "NODE_VERSION", "YARN_VERSION"]
        const names = Object.keys(answer.env).filter((name) => !ofImage.includes(name))
        const promised = byFlavour({ docker: ["HOME", "PATH", "PORT"], process: ["HOME", "PATH", "PORT", "TMPDIR"] })
        assert.deepStrictEqual(names.sort(), promised)
        yield* comesToRest
      })
    )

    it.effect("INV-8 E11 answers every request while the app is deployed twenty times under load, at one address", () =>
      Effect.gen(function* () {
        const { client } = yield* SharedServer
        const { archives } = yield* World
        const app = yield* deployedApp(client, yield* archives.source(goodApp("loaded")))
        const instances = new Set([(yield* serves(app.url, "loaded")).instance])
        const requesting = yield* load(app.url)

        for (const round of Array.from({ length: 20 }).keys()) {
          yield* client.apps.mergeEnv({
            params: { app: app.id },
            query: {},
            headers: {},
            payload: { env: { ROUND: `${round}` } }
          })
          const { envRevision, status } = yield* deploy(client, app.id)
          assert.deepStrictEqual([status, envRevision], ["healthy", round + 1])
          const { env, instance } = yield* serves(app.url, "loaded")
          assert.strictEqual(env["ROUND"], `${round}`)
          instances.add(instance)
        }

        const { failures, requests } = yield* requesting.end
        assert.deepStrictEqual(failures, [])
        assert.isAbove(requests, 500)
        assert.strictEqual(instances.size, 21)
        yield* comesToRest
      })
    )
  })

  describeWith("git", "sshd")("with a Git repository behind an SSH server", () => {
    it.layer(GitWorld.layer)((it) => {
      it.effect("U2 deploys the commit that the ref names, with a deploy key and a pinned host", () =>
        Effect.gen(function* () {
          const { client } = yield* SharedServer
          const { repository, source } = yield* GitWorld
          const app = yield* deployedApp(client, source)
          yield* serves(app.url, "v1")
          assert.notProperty(app.source, "deployKey")

          const first = repository.git("rev-parse", "HEAD")
          const second = repository.commit(goodApp("v2"))
          const next = yield* deploy(client, app.id)
          assert.deepStrictEqual([next.status, next.commit], ["healthy", second])
          yield* serves(app.url, "v2")

          repository.git("tag", "v1", first)
          const back = yield* deploy(client, app.id, { ref: GitRef.make("v1") })
          assert.deepStrictEqual([back.status, back.commit], ["healthy", first])
          yield* serves(app.url, "v1")
          yield* comesToRest
        })
      )

      it.effect("E11 a change of the env is pending until a deploy brings it to the running process", () =>
        Effect.gen(function* () {
          const { client } = yield* SharedServer
          const { source } = yield* GitWorld
          const { id, url } = yield* deployedApp(client, { ...source, ref: GitRef.make("main") })
          const { version } = yield* serves(url, "v2")

          const { body } = yield* client.apps.mergeEnv({
            params: { app: id },
            query: {},
            headers: {},
            payload: { env: { GREETING: "grüß dich", EMPTY: "" } }
          })
          assert.deepStrictEqual([body.revision, body.keysSet, body.keysDeleted, body.total], [1, 1, 0, 1])
          const pending = yield* client.apps.get({ params: { app: id } })
          assert.deepStrictEqual(envState(pending), [1, 0, true, url])
          assert.isUndefined((yield* serves(url, version)).env["GREETING"])

          yield* deploy(client, id)
          const changed = yield* client.apps.get({ params: { app: id } })
          assert.deepStrictEqual(envState(changed), [1, 1, false, url])
          assert.strictEqual((yield* serves(url, version)).env["GREETING"], "grüß dich")
          yield* comesToRest
        })
      )
    })
  })
})
