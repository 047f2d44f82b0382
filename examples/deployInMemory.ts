// A deploy without a database, an engine or a network: the same program over the ports' in-memory meaning. A team's own
// tests of its platform begin like this.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { AppName } from "@lockkeeper/core/domain/App"
import { GitUrl } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { Router } from "@lockkeeper/core/port/Router"
import { deploy } from "@lockkeeper/core/program/deploy"
import { Console, Effect } from "effect"
import { layerInMemory } from "./layerInMemory.ts"

// #region deploy
const program = Effect.gen(function* () {
  const apps = yield* AppStore
  const router = yield* Router

  const app = yield* apps.register({
    tenant: TenantName.make("acme"),
    name: AppName.make("web"),
    source: { type: "git", url: GitUrl.make("https://git.example.com/acme/web.git") }
  })

  const deployment = yield* deploy({ app: app.id, trigger: { kind: "manual" } })

  const address = yield* router.current(app.id)
  yield* Console.log(`${app.name} is ${deployment.status} as ${deployment.release}, reached at port ${address?.port}`)
})

program.pipe(Effect.provide(layerInMemory), NodeRuntime.runMain)
// #endregion
