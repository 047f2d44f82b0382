// A team's existing Hono app gets one more route, which deploys. The rest of the app need not know Effect: the programs run
// through a runtime that is made on first use, once for all who ask, and made anew when that failed.
import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { AppId, AppName } from "@lockkeeper/core/domain/App"
import { GitUrl } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { deploy, type DeployPorts } from "@lockkeeper/core/program/deploy"
import { Effect, Exit, type Layer, ManagedRuntime, Option, Schema } from "effect"
import { layerInMemory } from "./layerInMemory.ts"

/** Runs effects over ports that are built on first use. */
export interface Platform<R> {
  readonly run: <A, E>(program: Effect.Effect<A, E, R>) => Promise<Exit.Exit<A, E>>
  readonly dispose: () => Promise<void>
}

/**
 * A `ManagedRuntime` remembers how its first build ended: after a database that was away for a moment it would fail for ever. So
 * only a runtime that was built is kept; whoever comes while one is being built waits for that one.
 */
export const makePlatform = <R, E>(layer: Layer.Layer<R, E>): Platform<R> => {
  let current: ReturnType<typeof build> | undefined

  const build = async () => {
    const runtime = ManagedRuntime.make(layer)
    const built = await Effect.runPromiseExit(runtime.contextEffect)
    if (Exit.isSuccess(built)) return { runtime, ports: built.value }
    await runtime.dispose()
    throw new PlatformUnavailable()
  }
  const ready = () =>
    (current ??= build().catch((cause: unknown) => {
      current = undefined
      throw cause
    }))

  return {
    run: async (program) => Effect.runPromiseExit(Effect.provideContext(program, (await ready()).ports)),
    dispose: async () => (await current)?.runtime.dispose()
  }
}

/** What the platform stands on did not start; the next request tries again. */
export class PlatformUnavailable extends Error {}

const isAppId = Schema.decodeUnknownOption(AppId)

/** The team's app, with the route that deploys. */
export const makeApp = (platform: Platform<DeployPorts>): Hono => {
  const app = new Hono()

  app.get("/", (context) => context.text("our own page"))

  app.post("/deploy/:app", async (context) => {
    const id = Option.getOrUndefined(isAppId(context.req.param("app")))
    if (id === undefined) return context.json({ code: "not_found" }, 404)
    const exit = await platform.run(deploy({ app: id, trigger: { kind: "manual" } }))
    if (Exit.isSuccess(exit)) return context.json(exit.value, exit.value.status === "healthy" ? 200 : 422)

    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (error?._tag !== "DeploymentRefused") return context.json({ code: "store_unavailable" }, 503)
    switch (error.reason._tag) {
      case "AppGone":
        return context.json({ code: "not_found" }, 404)
      case "DeploymentInProgress":
        return context.json({ code: "deployment_in_progress", activeDeployment: error.reason.activeDeployment }, 409)
      default:
        return context.json({ code: "refused", reason: error.reason._tag }, 409)
    }
  })

  app.onError((error, context) =>
    error instanceof PlatformUnavailable
      ? context.json({ code: "platform_unavailable" }, 503)
      : context.json({ code: "internal_error" }, 500)
  )
  return app
}

if (import.meta.main) {
  const platform = makePlatform(layerInMemory)
  const registered = Effect.flatMap(AppStore, (apps) =>
    apps.register({
      tenant: TenantName.make("acme"),
      name: AppName.make("web"),
      source: { type: "git", url: GitUrl.make("https://git.example.com/acme/web.git") }
    })
  )
  const { id } = await Effect.runPromise(Effect.flatten(Effect.promise(() => platform.run(registered))))
  const server = serve({
    fetch: makeApp(platform).fetch,
    hostname: "127.0.0.1",
    port: Number(process.env["PORT"] ?? 3000)
  })
  server.on("listening", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    console.log(`curl -X POST http://127.0.0.1:${port}/deploy/${id}`)
  })
  process.once("SIGINT", () => server.close(() => void platform.dispose()))
}
