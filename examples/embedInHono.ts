// A team's existing Hono app gets one more route, which deploys. The rest of the app need not know Effect: the programs run
// through a runtime that is made on first use, once for all who ask, and made anew when that failed.
import { serve } from "@hono/node-server"
import { type Context, Hono } from "hono"
import { AppId, AppName } from "@lockkeeper/core/domain/App"
import { GitUrl } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { deploy, type DeployPorts } from "@lockkeeper/core/program/deploy"
import { Cause, Effect, Exit, Layer, ManagedRuntime, Option, Schema } from "effect"
import { layerInMemory } from "./layerInMemory.ts"

/** Runs effects over ports that are built on first use. */
export interface Platform<R> {
  readonly run: <A, E>(program: Effect.Effect<A, E, R>) => Promise<Exit.Exit<A, E>>
  readonly dispose: () => Promise<void>
}

/** What the platform stands on is away, and the next request tries again; or the platform was disposed. */
export class PlatformUnavailable extends Error {}

/**
 * A `ManagedRuntime` remembers how its first build ended: after a database that was away for a moment it would fail for ever. So
 * only a runtime that was built is kept; whoever comes while one is being built waits for that one. Disposed, it interrupts what
 * runs, so that a deploy ends `cancelled` with all that it made released, before the ports are closed.
 */
export const makePlatform = <R, E>(layer: Layer.Layer<R, E>): Platform<R> => {
  let current: Promise<ManagedRuntime.ManagedRuntime<R, never>> | undefined
  let disposed = false

  const build = async () => {
    const runtime = ManagedRuntime.make(Layer.orDie(layer))
    const built = await Effect.runPromiseExit(runtime.contextEffect)
    if (Exit.isSuccess(built)) return runtime
    console.error("the platform did not start", Cause.squash(built.cause))
    current = undefined
    await runtime.dispose()
    throw new PlatformUnavailable("the platform did not start", { cause: built.cause })
  }

  return {
    run: async (program) => {
      const runtime = disposed ? undefined : await (current ??= build())
      if (runtime === undefined || disposed) throw new PlatformUnavailable("the platform was disposed")
      return runtime.runPromiseExit(program)
    },
    dispose: async () => {
      disposed = true
      await current?.then((runtime) => runtime.dispose()).catch(() => undefined)
    }
  }
}

const toAppId = Schema.decodeUnknownOption(AppId)

const problem = (context: Context, status: 404 | 409 | 500 | 503, code: string, more: Record<string, string> = {}) =>
  context.json({ status, code, ...more }, status, { "content-type": "application/problem+json" })

/** The team's app, with the route that deploys. */
export const makeApp = (platform: Platform<DeployPorts>): Hono => {
  const app = new Hono()

  app.get("/", (context) => context.text("our own page"))

  app.post("/deploy/:app", async (context) => {
    const id = toAppId(context.req.param("app"))
    if (Option.isNone(id)) return problem(context, 404, "not_found")
    const exit = await platform.run(deploy({ app: id.value, trigger: { kind: "manual" } }))
    if (Exit.isSuccess(exit)) return context.json(exit.value, exit.value.status === "healthy" ? 200 : 422)

    const error = Exit.findErrorOption(exit)
    if (Option.isNone(error)) {
      throw Cause.hasInterruptsOnly(exit.cause) ? new PlatformUnavailable("disposed") : Cause.squash(exit.cause)
    }
    if (error.value._tag === "StoreError") return problem(context, 503, "store_unavailable")
    const { reason } = error.value
    switch (reason._tag) {
      case "AppGone":
        return problem(context, 404, "not_found")
      case "DeploymentInProgress":
        return problem(context, 409, "deployment_in_progress", { activeDeployment: reason.activeDeployment })
      default:
        return problem(context, 409, "refused", { reason: reason._tag })
    }
  })

  app.onError((error, context) => {
    if (error instanceof PlatformUnavailable) return problem(context, 503, "platform_unavailable")
    console.error(error)
    return problem(context, 500, "internal_error")
  })
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
  const { fetch } = makeApp(platform)
  const server = serve({ fetch, hostname: "127.0.0.1", port: Number(process.env["PORT"] ?? 3000) }, ({ port }) =>
    console.log(`curl -X POST http://127.0.0.1:${port}/deploy/${id}`)
  )
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void (server.close(), platform.dispose()))
  }
}
