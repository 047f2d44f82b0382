// What is answered when an Env cannot be changed: every error of the programs has its own status and code, whichever way the
// change came, and nothing is changed.
import { AppId, type AppStatus } from "@lockkeeper/core/domain/App"
import { Env, EnvTooLarge, limitBytes, Revision } from "@lockkeeper/core/domain/Env"
import { AppGone, AppNotLive, AppStore } from "@lockkeeper/core/port/AppStore"
import { EnvBusy, type EnvEdit, EnvStore, longestWait } from "@lockkeeper/core/port/EnvStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import type { EnvChangeError } from "@lockkeeper/core/program/mergeEnv"
import { assert, describe } from "@effect/vitest"
import { Clock, Context, Duration, Effect } from "effect"
import { assertProblem, type Fields, live, type Answer } from "./support/call.ts"
import { withEnv } from "./support/envs.ts"
import { altered, type MemoryPorts } from "./support/memoryServer.ts"

const canary = "canary"
const app = AppId.make("app_1")
const elsewhere = { revision: Revision.make(41), status: "live", deployedRevision: null, env: Env.empty } as const
const large = new EnvTooLarge({ limit: limitBytes, actual: 70_000 })
const failed = new StoreError({ operation: "revise", reason: "unavailable", cause: new Error(canary) })

interface Answered {
  readonly status: number
  readonly code: string
  readonly fields?: Fields
}

/** What each error of the programs is answered with. One that is added, and is not here, does not compile. */
const answers: { readonly [Tag in EnvChangeError["_tag"]]: Answered } = {
  AppGone: { status: 404, code: "not_found" },
  AppNotLive: { status: 409, code: "app_not_live", fields: { appStatus: "expired" } },
  RevisionMismatch: { status: 412, code: "revision_mismatch", fields: { actual: 41 } },
  EnvTooLarge: { status: 413, code: "env_too_large", fields: { limit: 65_536, actual: 70_000 } },
  EnvBusy: { status: 503, code: "env_busy" },
  StoreError: { status: 503, code: "store_unavailable" }
}

type Revise = (typeof EnvStore.Service)["revise"]

/** Stores that fail so, each where it can. */
const failures: { readonly [Tag in EnvChangeError["_tag"]]: Revise } = {
  AppGone: () => Effect.fail(new AppGone({ app })),
  AppNotLive: () => Effect.fail(new AppNotLive({ app, status: "expired" })),
  RevisionMismatch: <E>(edit: EnvEdit<E>) => Effect.andThen(Effect.fromResult(edit.decide(elsewhere)), Effect.never),
  EnvTooLarge: () => Effect.fail(large),
  EnvBusy: () => Effect.fail(new EnvBusy({ app })),
  StoreError: () => Effect.fail(failed)
}

const assertAnswered = (answer: Answer, { code, fields = {}, status }: Answered): void => {
  assertProblem(answer, status, code)
  assert.deepInclude(answer.fields, fields)
  assert.notMatch(answer.text, /canary|Error:|_tag/)
  const retry = answer.headers.get("retry-after")
  if (status === 503) assert.match(retry ?? "", /^[1-9]\d*$/)
  else assert.isNull(retry)
}

const withoutRequestId = ({ text }: Answer): string => text.replace(/"requestId":"[^"]*"/, "")

const reviseAltered = (revise: (original: Revise, ports: Context.Context<MemoryPorts>) => Revise) =>
  altered(EnvStore, (store, ports) => ({ ...store, revise: revise(store.revise, ports) }))

describe("an Env that cannot be changed", () => {
  for (const [tag, revise] of Object.entries(failures)) {
    live(`E7 ${tag} of the store is answered with its own status and code, to PATCH and to PUT`, () =>
      Effect.gen(function* () {
        const expected = Object.entries(answers).find(([other]) => other === tag)?.[1]
        assert.isDefined(expected)
        const { patch, put } = yield* withEnv({ ports: reviseAltered(() => revise) })
        for (const send of [patch, put]) {
          const answer = yield* send({ A: canary }, { ifMatch: '"7"' })
          if (expected !== undefined) assertAnswered(answer, expected)
        }
      })
    )
  }

  live("E7 a preview and the history answer what their store fails with in the same way", () =>
    Effect.gen(function* () {
      for (const [tag, error] of [
        ["AppGone", new AppGone({ app })],
        ["StoreError", failed]
      ] as const) {
        const away = () => Effect.fail(error)
        const ports = altered(EnvStore, (store) => ({ ...store, read: away, history: away }))
        const { call, patch, path, put, read } = yield* withEnv({ ports })
        const preview = { ifMatch: '"0"', query: "?dryRun=true" }
        for (const answer of [
          yield* patch({ A: "1" }, preview),
          yield* put({ A: "1" }, preview),
          yield* read(),
          yield* call("GET", `${path}/history`)
        ]) {
          assertAnswered(answer, answers[tag])
        }
      }
    })
  )
})

/** Changes the App's status when the change has been let in, before it is decided. */
const becomes = (status: AppStatus) =>
  reviseAltered((revise, ports) => (edit) => {
    const row = Context.get(ports, MemoryState).apps.get(edit.app)
    if (row !== undefined) row.app = { ...row.app, status }
    return revise(edit)
  })

describe("an App that goes on between the lookup and the change", () => {
  live("E5 is 409 app_deleting when it is being deleted, app_not_live when it is expired, and its Env stays", () =>
    Effect.gen(function* () {
      for (const [status, code] of [
        ["deleting", "app_deleting"],
        ["expired", "app_not_live"]
      ] as const) {
        for (const method of ["patch", "put"] as const) {
          const env = yield* withEnv({ ports: becomes(status) })
          assertProblem(yield* env[method]({ A: "1" }, { ifMatch: '"0"' }), 409, code)
          assert.strictEqual(yield* env.revision, 0)
        }
      }
    })
  )

  live("E8 is 404 when it is deleted, as an App that never was, and nothing of it is made again", () =>
    Effect.gen(function* () {
      for (const method of ["patch", "put"] as const) {
        const { [method]: send, call, id, path, ports } = yield* withEnv({ ports: becomes("deleted") })
        const answer = yield* send({ A: "1" }, { ifMatch: '"0"' })
        assertProblem(answer, 404, "not_found")
        const never = yield* call(method.toUpperCase(), "/v1/apps/app_never/env", { body: { env: { A: "1" } } })
        assert.strictEqual(withoutRequestId(answer), withoutRequestId(never))
        assertProblem(yield* call("GET", `${path}/history`), 404, "not_found")
        const state = Context.get(ports, MemoryState)
        assert.isUndefined(state.revisions.get(AppId.make(id)))
        assert.notInclude(
          state.events.map(({ type }) => type),
          "env.changed"
        )
      }
    })
  )

  live("that was stopped takes changes, also as a whole", () =>
    Effect.gen(function* () {
      const { put, revealed } = yield* withEnv({ ports: becomes("stopped") })
      assert.strictEqual((yield* put({ A: "1" }, { ifMatch: '"0"' })).status, 200)
      assert.deepStrictEqual(yield* revealed, { A: "1" })
    })
  )
})

/** A clock that a store can move on. */
const movable = Effect.map(Clock.Clock, (clock) => {
  let passed = 0n
  const moved: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + passed,
    monotonicTimeNanos: Effect.sync(() => clock.monotonicTimeNanosUnsafe() + passed),
    sleep: (duration) => clock.sleep(duration)
  }
  const pass = (duration: Duration.Duration) =>
    Effect.sync(() => {
      passed += Duration.toNanosUnsafe(duration)
    })
  return { clock: moved, pass }
})

describe("the bound of a wait", () => {
  live("E6 counts from the request: what its lookup took is not waited for again, and some try is always made", () =>
    Effect.gen(function* () {
      const { clock, pass } = yield* movable
      const waits: Array<number> = []
      for (const lookup of [Duration.zero, Duration.seconds(1), Duration.minutes(1)]) {
        const ports = altered(EnvStore, (store) => ({
          ...store,
          revise: (edit) => {
            waits.push(Duration.toMillis(edit.patience ?? longestWait))
            return store.revise(edit)
          }
        }))
        const slow = altered(
          AppStore,
          (store) => ({ ...store, get: (id) => Effect.tap(store.get(id), () => pass(lookup)) }),
          ports
        )
        const { patch, put } = yield* Effect.provideService(withEnv({ ports: slow }), Clock.Clock, clock)
        assert.strictEqual((yield* patch({ A: "1" })).status, 200)
        assert.strictEqual((yield* put({ A: "2" }, { ifMatch: '"1"' })).status, 200)
      }
      const [first = 0, second = 0, third = 0, fourth = 0, ...last] = waits
      for (const wait of [first, second]) {
        assert.isAtMost(wait, 3_000)
        assert.isAbove(wait, 2_000)
      }
      for (const wait of [third, fourth]) {
        assert.isAtMost(wait, 2_000)
        assert.isAbove(wait, 1_000)
      }
      assert.deepStrictEqual(last, [100, 100])
    })
  )
})
