// Which replica carries out routes: one at a time, another when that one ends, is stalled or loses its ports.
import { Leases } from "@lockkeeper/core/port/Leases"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import type { ServerResponse } from "node:http"
import { bodyOf, freePort, isListening, named, serve, until } from "./support/http.ts"
import { app, live, reasonOf, replica, route, routeOf, storage } from "./support/replicas.ts"

const isAnswered = (port: number, body: string) =>
  Effect.map(Effect.option(bodyOf(port)), (answer) => answer._tag === "Some" && answer.value === body)

const holder = Effect.map(MemoryState, ({ leases }) => leases.get("router")?.replica)

describe("replicas", () => {
  live("wait for the report of the one that holds the router", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* replica("a")
      yield* until(Effect.map(holder, (name) => name === "a"))
      const other = yield* replica("b")

      yield* other.swap(route(port, 1, (yield* named("one")).address))
      assert.strictEqual(yield* bodyOf(port), "one")
      yield* other.drain(app)
      assert.strictEqual((yield* routeOf)?.progress, "drained")
      assert.strictEqual(yield* holder, "a")
    })
  )

  live("take over when the holder ends, and serve while what it began is still answered", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const begun = Deferred.makeUnsafe<ServerResponse>()
      const { address } = yield* serve((request, response) => {
        if (request.url === "/slow") Deferred.doneUnsafe(begun, Effect.succeed(response))
        else response.end("one")
      })
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(replica("a"), scope)
      yield* first.swap(route(port, 1, address))
      yield* replica("b")
      const early = yield* Effect.forkChild(bodyOf(port, { path: "/slow" }))
      const response = yield* Deferred.await(begun)

      const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* until(isAnswered(port, "one"))
      assert.strictEqual(yield* holder, "b")
      assert.isUndefined(ending.pollUnsafe())
      response.end("begun before")
      assert.strictEqual(yield* Fiber.join(early), "begun before")
      yield* Fiber.join(ending)
      assert.strictEqual(yield* holder, "b")
    })
  )

  live(
    "INV-13 take over from a holder that stalled past its lease, as soon as it learns that and frees its ports",
    () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const leases = yield* Leases
        let isStalled = false
        const resumed = Deferred.makeUnsafe<undefined>()
        const stall = Effect.uninterruptible(Deferred.await(resumed))
        const stalling = Leases.of({
          ...leases,
          acquire: (...args) => Effect.suspend(() => (isStalled ? stall : leases.acquire(...args)))
        })
        const first = yield* Effect.provideService(replica("a"), Leases, stalling)
        const [one, two] = [yield* named("one"), yield* named("two")]
        yield* first.swap(route(port, 1, one.address))
        const second = yield* replica("b")

        isStalled = true
        yield* until(Effect.map(holder, (name) => name === "b"))
        assert.strictEqual(yield* bodyOf(port), "one")
        Deferred.doneUnsafe(resumed, Effect.undefined)
        yield* second.swap(route(port, 2, two.address))
        assert.strictEqual(yield* bodyOf(port), "two")
      })
  )

  live("INV-13 go on serving for as long as the store is away, and switch again when it is back", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const [leases, routes] = [yield* Leases, yield* RouteStore]
      let isBroken = false
      const breaking = <A, E>(self: Effect.Effect<A, E>) =>
        Effect.suspend(() => (isBroken ? Effect.die("the connection was lost") : self))
      const router = yield* replica("a").pipe(
        Effect.provideService(
          Leases,
          Leases.of({ ...leases, acquire: (...args) => breaking(leases.acquire(...args)) })
        ),
        Effect.provideService(RouteStore, RouteStore.of({ ...routes, since: (seen) => breaking(routes.since(seen)) }))
      )
      const [one, two] = [yield* named("one"), yield* named("two")]
      yield* router.swap(route(port, 1, one.address))

      isBroken = true
      yield* Effect.sleep(1_500)
      assert.strictEqual(yield* bodyOf(port), "one")
      isBroken = false
      yield* router.swap(route(port, 2, two.address))
      assert.strictEqual(yield* bodyOf(port), "two")
    })
  )

  live("say when a port is lost to another program, and serve it again when it is free", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const [one, two] = [yield* named("one"), yield* named("two")]
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(replica("a"), scope)
      yield* first.swap(route(port, 1, one.address))
      yield* Scope.close(scope, Exit.void)
      const foreign = yield* named("foreign", port)

      const second = yield* replica("b", { drainTimeout: "100 millis" })
      yield* until(Effect.map(routeOf, (row) => row?.progress === "port_conflict"))
      assert.strictEqual(yield* reasonOf(second.swap(route(port, 2, two.address))), "port_conflict")
      yield* until(Effect.map(routeOf, (row) => row?.progress === "port_conflict"))
      yield* foreign.stop
      yield* until(isAnswered(port, "one"))
      assert.deepStrictEqual(yield* second.current(app), one.address)
    })
  )

  live("leave no listener and no lease when they end, whoever is connected", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const endless = yield* serve((_request, response) => void response.write("begun"))
      const scope = yield* Scope.make()
      const router = yield* Scope.provide(replica("a"), scope)
      yield* router.swap(route(port, 1, endless.address))
      const client = yield* Effect.forkChild(Effect.exit(bodyOf(port)))
      yield* Effect.sleep(100)

      yield* Scope.close(scope, Exit.void)
      assert.isFalse(yield* isListening(port))
      assert.isTrue(Exit.isFailure(yield* Fiber.join(client)))
      assert.isUndefined(yield* holder)
    })
  )

  live("INV-13 free their ports when they end, before they wait for a store that hangs", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const routes = yield* RouteStore
      let isHanging = false
      const [hung, resumed] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
      const hanging = Effect.andThen(Deferred.succeed(hung, undefined), Effect.uninterruptible(Deferred.await(resumed)))
      const scope = yield* Scope.make()
      const router = yield* Scope.provide(replica("a"), scope).pipe(
        Effect.provideService(
          RouteStore,
          RouteStore.of({
            ...routes,
            since: (seen) =>
              Effect.andThen(
                Effect.suspend(() => (isHanging ? hanging : Effect.void)),
                routes.since(seen)
              )
          })
        )
      )
      yield* router.swap(route(port, 1, (yield* named("one")).address))
      isHanging = true
      yield* Deferred.await(hung)

      const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* until(Effect.map(isListening(port), (listens) => !listens))
      assert.isUndefined(ending.pollUnsafe())
      yield* Deferred.succeed(resumed, undefined)
      yield* Fiber.join(ending)
    })
  )

  live("INV-13 give back a lease that they are given while they end", () =>
    Effect.gen(function* () {
      const leases = yield* Leases
      const given = Deferred.makeUnsafe<void>()
      const slow = Leases.of({
        ...leases,
        acquire: (...args) =>
          Effect.tap(leases.acquire(...args), () => Effect.andThen(Deferred.succeed(given, undefined), Effect.never))
      })
      const scope = yield* Scope.make()
      yield* Scope.provide(replica("a"), scope).pipe(Effect.provideService(Leases, slow))
      yield* Deferred.await(given)
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* holder)
    })
  )

  it.live("do not begin with terms that leave no room for two missed renewals (H22)", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(replica("a", { leaseTtl: "1 second", renewEvery: "400 millis" }))
      assert.isTrue(Exit.hasDies(exit))
    }).pipe(Effect.provide(storage))
  )
})
