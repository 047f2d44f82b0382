// The runtime of the Hono example: made once for all who ask, made anew after a failure, and why that care is needed.
import { assert, describe, it } from "@effect/vitest"
import { AppName } from "@lockkeeper/core/domain/App"
import { GitUrl } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { Effect, Layer, ManagedRuntime } from "effect"
import { makeApp, makePlatform } from "./embedInHono.ts"
import { layerInMemory } from "./layerInMemory.ts"

/** The ports, over a dependency that is away for the first builds; counts how often they were built. */
const flaky = (failures: number) => {
  const seen = { builds: 0 }
  const dependency = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Effect.sleep("10 millis")
      if (++seen.builds <= failures) return yield* Effect.fail("the dependency is away")
    })
  )
  return { seen, layer: Layer.merge(dependency, layerInMemory) }
}

const register = Effect.flatMap(AppStore, (apps) =>
  apps.register({
    tenant: TenantName.make("acme"),
    name: AppName.make("web"),
    source: { type: "git", url: GitUrl.make("https://git.example.com/acme/web.git") }
  })
)

const post = async (app: ReturnType<typeof makeApp>, id: string) => {
  const answer = await app.request(`/deploy/${id}`, { method: "POST" })
  const body: unknown = await answer.json()
  return { status: answer.status, body }
}

describe("embedInHono.ts", () => {
  it("H26 fails while what it stands on is away, and works as soon as that is back", async () => {
    const { layer, seen } = flaky(2)
    const platform = makePlatform(layer)
    const app = makeApp(platform)
    for (const _ of [1, 2]) {
      assert.deepStrictEqual(await post(app, "app_unknown"), { status: 503, body: { code: "platform_unavailable" } })
    }
    assert.deepStrictEqual(await post(app, "app_unknown"), { status: 404, body: { code: "not_found" } })
    assert.strictEqual(seen.builds, 3)
    await platform.dispose()
  })

  it("H26 makes one attempt for twenty first users at once", async () => {
    for (const failures of [0, 1]) {
      const { layer, seen } = flaky(failures)
      const platform = makePlatform(layer)
      const app = makeApp(platform)
      const answers = await Promise.all(Array.from({ length: 20 }, () => post(app, "app_unknown")))
      assert.deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([failures === 0 ? 404 : 503]))
      assert.strictEqual(seen.builds, 1)
      await platform.dispose()
    }
  })

  it("H26 a ManagedRuntime alone would remember its first failure for ever", async () => {
    const { layer, seen } = flaky(1)
    const runtime = ManagedRuntime.make(layer)
    for (const _ of [1, 2, 3]) {
      const exit = await runtime.runPromiseExit(Effect.void)
      assert.strictEqual(exit._tag, "Failure")
    }
    assert.strictEqual(seen.builds, 1)
    await runtime.dispose()
  })

  it("answers what became of a deploy, and what is wrong with a request", async () => {
    const platform = makePlatform(layerInMemory)
    const app = makeApp(platform)
    const { id } = await Effect.runPromise(Effect.flatten(Effect.promise(() => platform.run(register))))
    const answers = await Promise.all([post(app, id), post(app, id)])
    assert.deepStrictEqual(answers.map(({ status }) => status).sort(), [200, 409])
    const refused = answers.find(({ status }) => status === 409)?.body
    assert.match(JSON.stringify(refused), /^\{"code":"deployment_in_progress","activeDeployment":"dep_\w+"\}$/)
    assert.strictEqual((await post(app, "not an id")).status, 404)
    assert.strictEqual(await (await app.request("/")).text(), "our own page")
    await platform.dispose()
  })
})
