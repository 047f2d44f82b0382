// Requests with an Idempotency-Key of which something goes wrong: the caller goes away, the store is away, it takes too
// long, the server stops. What was done is not done again; what was not done is free to be asked again.
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentRefused } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { type FailpointReaction, Failpoints } from "@lockkeeper/core/port/failpoint"
import { IdempotencyStore } from "@lockkeeper/core/port/IdempotencyStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { eventually } from "@lockkeeper/core/testing/Contract"
import { failpointIdempotencyStore } from "@lockkeeper/core/testing/failpointPorts"
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Latch, Logger, Scope } from "effect"
import { inspect } from "node:util"
import { type Answer, assertProblem, type clientOf, createApp, each, live, started } from "./support/call.ts"
import { altered, tokens } from "./support/memoryServer.ts"

type Client = ReturnType<typeof clientOf>

const key = "the-key-of-the-client"
const headers = { "idempotency-key": key }

/** Makes an App, under the same key each time. */
const make = (call: Client): Effect.Effect<Answer> =>
  call("POST", "/v1/apps", { body: { tenant: "acme", name: "web" }, headers })

const isReplayed = (answer: Answer): boolean => answer.headers.get("idempotency-replayed") === "true"

const shown = (answer: Answer): readonly [status: number, how: "carried out" | "replayed"] => [
  answer.status,
  isReplayed(answer) ? "replayed" : "carried out"
]

/** The answer once nobody is at it any more. */
const settledAnswer = (call: Client) =>
  Effect.orDie(eventually("an answer", make(call), ({ status }) => status !== 409))

const countOf = (call: Client) => Effect.map(call("GET", "/v1/apps"), (answer) => each(answer, "id").length)

/** Does something else the first time that it is asked. */
const firstly = <A, E, R, E2>(first: Effect.Effect<A, E2>, self: Effect.Effect<A, E, R>) => {
  let isFirst = true
  return Effect.suspend((): Effect.Effect<A, E | E2, R> => {
    const turn = isFirst ? first : self
    isFirst = false
    return turn
  })
}

/** Ports with which making an App begins like this. */
const before = (begin: Effect.Effect<void, StoreError>) =>
  altered(AppStore, (store) => ({ ...store, register: (app) => Effect.andThen(begin, store.register(app)) }))

/** Ports with which making an App waits, and what a test needs to know of it. */
const waiting = Effect.gen(function* () {
  const [reached, proceed] = [yield* Latch.make(), yield* Latch.make()]
  return { ports: before(Effect.andThen(reached.open, proceed.await)), proceed, reached }
})

/** Sends a request whose caller goes away as soon as it is being carried out. */
const sentAndGone = Effect.fnUntraced(function* (call: Client, reached: Latch.Latch) {
  const caller = yield* Effect.forkChild(make(call))
  yield* reached.await
  yield* Fiber.interrupt(caller)
})

describe("B11 X4 a request with an idempotency key", () => {
  live("whose caller goes away is carried out to its end, and its answer is there for who asks again", () =>
    Effect.gen(function* () {
      const { ports, proceed, reached } = yield* waiting
      const { call } = yield* started({ ports })
      yield* sentAndGone(call, reached)
      assertProblem(yield* make(call), 409, "idempotency_in_progress")
      yield* proceed.open
      assert.deepStrictEqual(shown(yield* settledAnswer(call)), [201, "replayed"])
      assert.strictEqual(yield* countOf(call), 1)
    })
  )

  for (const [what, failure, status] of [
    ["503", Effect.fail(new StoreError({ operation: "register", reason: "unavailable", cause: "away" })), 503],
    ["a defect", Effect.die("a defect"), 500]
  ] as const) {
    live(`that came to ${what} is carried out when it is sent again`, () =>
      Effect.gen(function* () {
        const { call } = yield* started({ ports: before(firstly(failure, Effect.void)) })
        assert.strictEqual((yield* make(call)).status, status)
        assert.deepStrictEqual(shown(yield* make(call)), [201, "carried out"])
        assert.deepStrictEqual(shown(yield* make(call)), [201, "replayed"])
      })
    )
  }

  live("that is to come back later (429) is carried out then", () =>
    Effect.gen(function* () {
      const full = Effect.fail(new DeploymentRefused({ reason: { _tag: "QueueFull", limit: 1 } }))
      const ports = altered(DeploymentStore, (store) => {
        const begin = firstly<void, never, never, DeploymentRefused>(full, Effect.void)
        return { ...store, begin: (request) => Effect.andThen(begin, store.begin(request)) }
      })
      const { call } = yield* started({ ports })
      const deploy = call("POST", `/v1/apps/${yield* createApp(call)}/deployments`, { headers })
      assertProblem(yield* deploy, 429, "queue_full")
      assert.deepStrictEqual(shown(yield* deploy), [202, "carried out"])
      assert.deepStrictEqual(shown(yield* deploy), [202, "replayed"])
    })
  )

  live("that takes too long is ended before its lease is over, and is free to be sent again", () =>
    Effect.gen(function* () {
      const reservationTerms = { lease: Duration.millis(1_500), retention: Duration.minutes(1) }
      const { call } = yield* started({ ports: before(firstly(Effect.never, Effect.void)), reservationTerms })
      const [took, late] = yield* Effect.timed(make(call))
      assertProblem(late, 503, "store_unavailable")
      assert.isBelow(Duration.toMillis(took), 1_500)
      assert.deepStrictEqual(shown(yield* make(call)), [201, "carried out"])
    })
  )

  live("that a stopping server does not finish is free for another server, also when nobody waits for it", () =>
    Effect.gen(function* () {
      const { ports, reached } = yield* waiting
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(started({ ports }), scope)
      yield* sentAndGone(server.call, reached)
      const { apps, reservations } = Context.get(server.ports, MemoryState)
      assert.strictEqual(reservations.size, 1)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([reservations.size, apps.size], [0, 0])
    })
  )
})

/** The first call of a method fails: before it does anything, or when it has done it and its answer is lost. */
const failing = (point: string, when: "before" | "after"): FailpointReaction => {
  let isFirst = true
  return (reached, effect, refuse = Effect.die("a point that cannot be refused")) =>
    Effect.suspend(() => {
      if (reached !== point || !isFirst) return effect
      isFirst = false
      return when === "before" ? refuse : Effect.andThen(effect, refuse)
    })
}

/** A server whose store of keys meets that, and everything that it logs. */
const meeting = Effect.fnUntraced(function* (reaction: FailpointReaction) {
  const logged: Array<string> = []
  const collect = Logger.make(({ message, cause }) => logged.push(`${inspect(message)} ${Cause.pretty(cause)}`))
  const ports = altered(IdempotencyStore, (store) => failpointIdempotencyStore(store))
  const { call } = yield* started({ ports }).pipe(
    Effect.provideService(Failpoints, reaction),
    Effect.provide(Logger.layer([collect]))
  )
  return { call, logged }
})

const saysNothing = (logged: ReadonlyArray<string>): void => {
  assert.isNotEmpty(logged)
  for (const line of logged) {
    assert.include(line, "StoreError")
    assert.notInclude(line, key)
    assert.notInclude(line, tokens.admin)
  }
}

describe("B11 E9 a store of idempotency keys", () => {
  for (const when of ["before", "after"] as const) {
    live(`that fails ${when} it reserves a key has nothing done, and the same request is free to be sent again`, () =>
      Effect.gen(function* () {
        const { call, logged } = yield* meeting(failing("IdempotencyStore.reserve", when))
        assertProblem(yield* make(call), 503, "store_unavailable")
        assert.strictEqual(yield* countOf(call), 0)
        assert.deepStrictEqual(shown(yield* make(call)), [201, "carried out"])
        saysNothing(logged)
      })
    )

    live(`that fails ${when} it keeps an answer is told again, and nothing is done twice meanwhile`, () =>
      Effect.gen(function* () {
        const { call, logged } = yield* meeting(failing("IdempotencyStore.complete", when))
        assert.deepStrictEqual(shown(yield* make(call)), [201, "carried out"])
        assert.deepStrictEqual(shown(yield* settledAnswer(call)), [201, "replayed"])
        assert.strictEqual(yield* countOf(call), 1)
        saysNothing(logged)
      })
    )
  }
})
