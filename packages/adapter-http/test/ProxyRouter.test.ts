// What a switch does to traffic, and what is left when it cannot be made, on real ports.
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { Leases } from "@lockkeeper/core/port/Leases"
import { RouterContract } from "@lockkeeper/core/testing/RouterContract"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import type { Agent, ServerResponse } from "node:http"
import * as ProxyRouter from "../src/ProxyRouter.ts"
import { ask, bodyOf, freePort, isListening, keeping, named, serve, until } from "./support/http.ts"
import { app, live, reasonOf, replica, route, routeOf, storage } from "./support/replicas.ts"

describe("the contract of Router", () => {
  const router = ProxyRouter.layer({ replica: ReplicaId.make("contract"), pollEvery: "20 millis" })
  const world = router.pipe(Layer.provideMerge(Layer.provideMerge(AppStore.layerMemory, storage)))
  it.live.each(RouterContract.map((law) => [`${law.id}: ${law.law}`, law.run] as const))("%s", ([, run]) =>
    Effect.provide(run, world)
  )
})

describe("a switch", () => {
  live("leads the App's one address to another Workload (X2)", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const [one, two] = [yield* named("one"), yield* named("two")]
      const router = yield* replica("a")

      yield* router.swap(route(port, 1, one.address))
      assert.strictEqual(yield* bodyOf(port), "one")
      yield* router.swap(route(port, 2, two.address))
      assert.strictEqual(yield* bodyOf(port), "two")
      assert.deepStrictEqual(yield* router.current(app), two.address)
    })
  )

  live("moves connections that clients keep to the new Workload with their next request", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const agent = yield* keeping
      const [one, two] = [yield* named("one"), yield* named("two")]
      const router = yield* replica("a")
      yield* router.swap(route(port, 1, one.address))

      const before = yield* ask(port, { agent })
      yield* router.swap(route(port, 2, two.address))
      const after = yield* ask(port, { agent })
      assert.deepStrictEqual([before.body, after.body], ["one", "two"])
      assert.strictEqual(after.localPort, before.localPort)
    })
  )

  live(
    "fails no request in 20 switches under load, and answers what comes after one from the new Workload (INV-8)",
    () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const router = yield* replica("a")
        let serving = 0
        let answered = 0
        let isOver = false
        const version = (number: number) =>
          serve((_request, response) => void setTimeout(() => response.end(String(number)), number % 7))

        let old = yield* version(0)
        yield* router.swap(route(port, 1, old.address))
        const client = (agent: Agent, method: string) =>
          Effect.gen(function* () {
            while (!isOver) {
              const oldest = serving
              const { status, body } = yield* ask(port, { agent, method })
              assert.strictEqual(status, 200)
              assert.isAtLeast(Number(body), oldest)
              answered++
            }
          })
        const load = yield* Effect.forkChild(
          Effect.forEach(
            ["GET", "GET", "GET", "GET", "POST", "PUT"],
            (method) => Effect.flatMap(keeping, (agent) => client(agent, method)),
            { concurrency: "unbounded" }
          )
        )

        for (let number = 1; number <= 20; number++) {
          const next = yield* version(number)
          yield* router.swap(route(port, number + 1, next.address))
          serving = number
          yield* router.drain(app)
          yield* old.stop
          old = next
          yield* until(Effect.sync(() => answered >= number * 12))
        }
        isOver = true
        yield* Fiber.join(load)
        assert.isAtLeast(answered, 240)
      })
  )

  live("is drained when the requests before it are answered, and not earlier", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const arrived = Deferred.makeUnsafe<ServerResponse>()
      const slow = yield* serve((_request, response) => Deferred.doneUnsafe(arrived, Effect.succeed(response)))
      const fast = yield* named("fast")
      const router = yield* replica("a")
      yield* router.swap(route(port, 1, slow.address))
      const early = yield* Effect.forkChild(bodyOf(port))
      const response = yield* Deferred.await(arrived)

      yield* router.swap(route(port, 2, fast.address))
      assert.strictEqual(yield* bodyOf(port), "fast")
      const drained = yield* Effect.forkChild(router.drain(app))
      yield* Effect.sleep(200)
      assert.strictEqual((yield* routeOf)?.progress, "applied")
      response.end("slow")
      yield* Fiber.join(drained)
      assert.strictEqual((yield* routeOf)?.progress, "drained")
      assert.strictEqual(yield* Fiber.join(early), "slow")
    })
  )

  live("is drained after a bounded time when a request never ends (H8)", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const endless = yield* serve((_request, response) => void response.write("begun"))
      const router = yield* replica("a", { drainTimeout: "300 millis" })
      yield* router.swap(route(port, 1, endless.address))
      yield* Effect.forkChild(bodyOf(port))
      yield* Effect.sleep(100)

      yield* router.swap(route(port, 2, (yield* named("next")).address))
      yield* router.drain(app)
      yield* until(Effect.map(routeOf, (row) => row?.progress === "drained"))
    })
  )

  live("under an older Fence is refused, and traffic goes where it went (INV-2)", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const [one, two] = [yield* named("one"), yield* named("two")]
      const router = yield* replica("a")
      yield* router.swap(route(port, 5, one.address))

      assert.strictEqual(yield* reasonOf(router.swap(route(port, 4, two.address))), "stale")
      assert.strictEqual(yield* bodyOf(port), "one")
    })
  )

  live("to a port that another program uses is a conflict, and nothing is wanted afterwards", () =>
    Effect.gen(function* () {
      const foreign = yield* named("foreign")
      const port = foreign.address.port
      const own = yield* named("own")
      const router = yield* replica("a")

      assert.strictEqual(yield* reasonOf(router.swap(route(port, 1, own.address))), "port_conflict")
      assert.strictEqual(yield* router.current(app), undefined)
      yield* foreign.stop
      yield* Effect.sleep(100)
      assert.isFalse(yield* isListening(port))
      yield* router.swap(route(port, 1, own.address))
      assert.strictEqual(yield* bodyOf(port), "own")
    })
  )

  live("that nobody carries out in time is unavailable, and is not made up for later (INV-8)", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const [one, two] = [yield* named("one"), yield* named("two")]
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(replica("a"), scope)
      yield* first.swap(route(port, 1, one.address))
      yield* Scope.close(scope, Exit.void)
      const { acquire } = yield* Leases
      yield* acquire("router", ReplicaId.make("elsewhere"), Duration.hours(1))

      const waiting = yield* replica("b", { applyTimeout: "100 millis" })
      assert.strictEqual(yield* reasonOf(waiting.swap(route(port, 2, two.address))), "unavailable")
      assert.deepStrictEqual((yield* routeOf)?.address, one.address)
    })
  )

  live("that is interrupted is not made up for later (INV-4)", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const { acquire } = yield* Leases
      yield* acquire("router", ReplicaId.make("elsewhere"), Duration.hours(1))
      const router = yield* replica("a")

      const swapping = yield* Effect.forkChild(router.swap(route(port, 1, (yield* named("one")).address)))
      yield* until(Effect.map(routeOf, (row) => row !== undefined))
      yield* Fiber.interrupt(swapping)
      assert.isNull((yield* routeOf)?.address)
    })
  )
})

describe("the end of a route", () => {
  live("frees the port, and no older Fence brings it back (INV-6)", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const one = yield* named("one")
      const router = yield* replica("a")
      yield* router.swap(route(port, 2, one.address))

      yield* router.remove(app, Fence.make(3))
      assert.isFalse(yield* isListening(port))
      assert.strictEqual(yield* router.current(app), undefined)
      assert.strictEqual(yield* reasonOf(router.swap(route(port, 2, one.address))), "stale")
      assert.isFalse(yield* isListening(port))
    })
  )

  live(
    "lets requests in flight be answered, and then ends their connections",
    () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const arrived = Deferred.makeUnsafe<ServerResponse>()
        const slow = yield* serve((_request, response) => Deferred.doneUnsafe(arrived, Effect.succeed(response)))
        const router = yield* replica("a", { drainTimeout: "10 seconds" })
        yield* router.swap(route(port, 1, slow.address))
        const agent = yield* keeping
        const early = yield* Effect.forkChild(ask(port, { agent }))
        const response = yield* Deferred.await(arrived)

        yield* router.remove(app, Fence.make(1))
        assert.isFalse(yield* isListening(port))
        response.end("slow")
        const { body, headers } = yield* Fiber.join(early)
        assert.deepStrictEqual([body, headers.connection], ["slow", "close"])
        yield* until(Effect.map(routeOf, (row) => row?.progress === "drained"))
      }),
    5_000
  )
})
