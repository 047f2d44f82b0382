// The runtime of the Hono example: made once for all who ask, made anew after a failure, and why that care is needed.
import { assert, describe, it } from "@effect/vitest"
import { AppId, AppName } from "@lockkeeper/core/domain/App"
import { GitUrl } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { HealthProbe, Unhealthy } from "@lockkeeper/core/port/HealthProbe"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Deferred, Effect, Exit, identity, Layer, ManagedRuntime } from "effect"
import { makeApp, makePlatform } from "./embedInHono.ts"
import { layerInMemory } from "./layerInMemory.ts"

const registered = Effect.flatMap(AppStore, (apps) =>
  apps.register({
    tenant: TenantName.make("acme"),
    name: AppName.make("web"),
    source: { type: "git", url: GitUrl.make("https://git.example.com/acme/web.git") }
  })
)

/** The ports with one App, over a dependency that is away for the first builds; counts how often they were built and closed. */
const flaky = (failures: number, ports: typeof layerInMemory = layerInMemory) => {
  const seen = { builds: 0, closed: 0, app: "" }
  const dependency = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Effect.sleep("10 millis")
      if (++seen.builds <= failures) return yield* Effect.fail("the dependency is away")
      yield* Effect.addFinalizer(() => Effect.sync(() => void seen.closed++))
      seen.app = (yield* Effect.orDie(registered)).id
    })
  )
  const platform = makePlatform(Layer.provideMerge(dependency, ports))
  const app = makeApp(platform)
  const post = async (id = seen.app === "" ? "app_1" : seen.app) => {
    const answer = await app.request(`/deploy/${id}`, { method: "POST" })
    const body: unknown = await answer.json()
    return { status: answer.status, type: answer.headers.get("content-type"), text: JSON.stringify(body) }
  }
  return { app, platform, post, seen }
}

/** The ports with a store that does this instead of beginning a Deployment. */
const beginning = (begin: DeploymentStore["Service"]["begin"]) =>
  Layer.merge(
    layerInMemory,
    Layer.effect(
      DeploymentStore,
      Effect.map(DeploymentStore, (store) => ({ ...store, begin }))
    ).pipe(Layer.provide(layerInMemory))
  )

const statusesOf = <Status>(answers: ReadonlyArray<{ readonly status: Status }>) => answers.map(({ status }) => status)

describe("embedInHono.ts", () => {
  it("H26 fails while what it stands on is away, and deploys as soon as that is back", async () => {
    const { platform, post, seen } = flaky(2)
    for (const _ of [1, 2]) {
      const { status, text, type } = await post()
      assert.strictEqual(status, 503)
      assert.strictEqual(type, "application/problem+json")
      assert.strictEqual(text, `{"status":503,"code":"platform_unavailable"}`)
    }
    const { status, text } = await post()
    assert.strictEqual(status, 200)
    assert.match(text, /"status":"healthy"/)
    assert.deepInclude(seen, { builds: 3, closed: 0 })
    await platform.dispose()
    assert.strictEqual(seen.closed, 1)
  })

  it.each([0, 1])("H26 makes one attempt for twenty first users at once, after which %s failed", async (failures) => {
    const { platform, post, seen } = flaky(failures)
    const answers = await Promise.all(Array.from({ length: 20 }, () => post("app_unknown")))
    assert.deepStrictEqual(new Set(statusesOf(answers)), new Set([failures === 0 ? 404 : 503]))
    assert.strictEqual(seen.builds, 1)
    await platform.dispose()
  })

  it("H26 a ManagedRuntime alone, as Effect.cached, would remember its first failure for ever", async () => {
    let tries = 0
    const away = Effect.suspend(() => (++tries === 1 ? Effect.fail("the dependency is away") : Effect.void))
    const runtime = ManagedRuntime.make(Layer.effectDiscard(away))
    for (const _ of [1, 2, 3]) assert.isTrue(Exit.isFailure(await runtime.runPromiseExit(Effect.void)))
    assert.strictEqual(tries, 1)
    await runtime.dispose()

    tries = 0
    const cached = await Effect.runPromise(Effect.cached(away))
    for (const _ of [1, 2, 3]) assert.isTrue(Exit.isFailure(await Effect.runPromiseExit(cached)))
    assert.strictEqual(tries, 1)
  })

  it("H26 disposes what was built once, also after a failure, and builds nothing afterwards", async () => {
    for (const failures of [0, 1]) {
      const { platform, post, seen } = flaky(failures)
      const first = post()
      await platform.dispose()
      assert.strictEqual((await first).status, 503)
      assert.strictEqual((await post()).status, 503)
      assert.strictEqual(seen.builds, 1)
      assert.strictEqual(seen.closed, 1 - failures)
    }
  })

  it("cancels a deploy in progress when it is disposed, and answers that it is unavailable", async () => {
    const probed = Deferred.makeUnsafe<void>()
    const probe = () => Effect.andThen(Deferred.succeed(probed, undefined), new Unhealthy({ detail: "not yet" }))
    const { platform, post, seen } = flaky(0, Layer.merge(layerInMemory, Layer.succeed(HealthProbe, { probe })))
    const store = await Effect.runPromise(
      Effect.flatten(Effect.promise(() => platform.run(Effect.map(DeploymentStore, identity))))
    )
    const answer = post()
    await Effect.runPromise(Deferred.await(probed))
    await platform.dispose()
    assert.deepInclude(await answer, { status: 503, text: `{"status":503,"code":"platform_unavailable"}` })
    const { items } = await Effect.runPromise(store.list(AppId.make(seen.app), { limit: 10, cursor: undefined }))
    assert.deepStrictEqual(statusesOf(items), ["cancelled"])
  })

  it("answers what became of a deploy, and what is wrong with a request", async () => {
    const { app, platform, post } = flaky(0)
    const answers = await Promise.all([post("app_1"), post("app_1")])
    assert.deepStrictEqual(statusesOf(answers).sort(), [200, 409])
    const refused = answers.find(({ status }) => status === 409)
    assert.match(refused?.text ?? "", /^\{"status":409,"code":"deployment_in_progress","activeDeployment":"dep_\w+"\}$/)
    assert.deepStrictEqual(statusesOf([await post("not an id"), await post("app_unknown")]), [404, 404])
    assert.strictEqual(await (await app.request("/")).text(), "our own page")
    await platform.dispose()
  })

  it("tells a store that is away from a defect", async () => {
    const cause = new Error("connection reset")
    const away = flaky(
      0,
      beginning(() => new StoreError({ operation: "begin", reason: "unavailable", cause }))
    )
    assert.deepInclude(await away.post(), { status: 503, text: `{"status":503,"code":"store_unavailable"}` })
    const broken = flaky(
      0,
      beginning(() => Effect.die(new Error("a defect")))
    )
    assert.deepInclude(await broken.post(), { status: 500, text: `{"status":500,"code":"internal_error"}` })
    await Promise.all([away.platform.dispose(), broken.platform.dispose()])
  })
})
