// Stopping, deleting and expiring Apps that run: what they had is gone, from outside too.

import { assert, layer, vi } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { begin, deployedApp, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { atRest } from "../harness/footprint.ts"
import { goodApp, slowlyBuilt } from "../harness/testApp.ts"
import { buildBegins, footprint, type Running, SharedServer, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const nothingIsLeft = eventually(
  "nothing is left",
  footprint(),
  (seen) => JSON.stringify(seen) === JSON.stringify({ ...seen, ...atRest(0) })
)

const statusOf = Effect.fnUntraced(function* (app: string) {
  const { sql } = yield* World
  const [row] = yield* sql<{ readonly status: string }>`select status from apps where id = ${app}`
  return row?.status
})

const isDeleted = (app: string) => eventually(`${app} is deleted`, statusOf(app), (status) => status === "deleted")

const isGone = Effect.fnUntraced(function* ({ client }: Running, { id, name, tenant }: Parameters<typeof again>[0]) {
  yield* isDeleted(id)
  yield* nothingIsLeft
  assert.strictEqual((yield* Effect.flip(client.apps.get({ params: { app: id } })))._tag, "NotFound")
  yield* client.apps.create({ payload: again({ id, name, tenant }) })
})

const again = ({ name, tenant }: Pick<Effect.Success<ReturnType<typeof makeApp>>, "id" | "name" | "tenant">) => ({
  name,
  tenant
})

layer(SharedServer.layer(), { excludeTestServices: true })("an app", (it) => {
  it.effect("INV-6 B8: that serves is deleted with everything it had, and its name is free", () =>
    Effect.gen(function* () {
      const server = yield* SharedServer
      const { archives } = yield* World
      const app = yield* deployedApp(server.client, yield* archives.source(goodApp("deleted")))
      yield* serves(app.url, "deleted")
      const { status } = yield* server.client.apps.delete({ params: { app: app.id } })
      assert.strictEqual(status, "deleting")
      yield* isGone(server, app)
    })
  )

  it.effect("INV-6 R9: that is being deployed is deleted, and what the deployment made is gone", () =>
    Effect.gen(function* () {
      const server = yield* SharedServer
      const { archives } = yield* World
      const app = yield* makeApp(server.client, { source: yield* archives.source(slowlyBuilt("late")) })
      const { id } = yield* begin(server.client, app.id)
      yield* buildBegins
      yield* server.client.apps.delete({ params: { app: app.id } })
      yield* isGone(server, app)
      const { sql } = yield* World
      const [row] = yield* sql<{ readonly status: string }>`select status from deployments where id = ${id}`
      assert.notStrictEqual(row?.status, "healthy")
    })
  )

  it.effect("H31 R5: that is stopped serves nothing and stays, until its time is over", () =>
    Effect.gen(function* () {
      const server = yield* SharedServer
      const { client } = server
      const { archives } = yield* World
      const app = yield* deployedApp(client, yield* archives.source(goodApp("stopped")))
      const params = { app: app.id }
      yield* client.apps.setExpiry({ params, payload: { expiresAt: DateTime.makeUnsafe(Date.now() + 4_000) } })
      assert.strictEqual((yield* client.apps.stop({ params })).status, "stopped")
      yield* nothingIsLeft
      assert.strictEqual((yield* client.apps.get({ params })).currentRelease, app.currentRelease)
      yield* isGone(server, app)
    })
  )
})
