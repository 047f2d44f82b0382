// What is answered when something is wrong on the way or behind the server. Bad input is in input.test.ts, unknown routes in routes.test.ts.
import { AppId } from "@lockkeeper/core/domain/App"
import { AppStore, PortsExhausted } from "@lockkeeper/core/port/AppStore"
import { DeploymentRefused } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvBusy, EnvStore } from "@lockkeeper/core/port/EnvStore"
import { LogStore } from "@lockkeeper/core/port/LogStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { assert, describe } from "@effect/vitest"
import { Context, Effect } from "effect"
import { type Answer, archive, assertProblem, createApp, live, started } from "./support/call.ts"
import { altered } from "./support/memoryServer.ts"

const canary = "canary"

const failing = (operation: string) =>
  Effect.fail(new StoreError({ operation: `${operation}-${canary}`, reason: "unexpected", cause: new Error(canary) }))

const defect = Effect.die(new Error(canary))

const assertClosed = (answer: Answer): void =>
  assert.notMatch(answer.text + JSON.stringify([...answer.headers]), /canary|Error:|\.ts\b|node_modules|StoreError/)

const assertRetry = ({ headers }: Answer): void => assert.match(headers.get("retry-after") ?? "", /^[1-9]\d*$/)

describe("a store that is away", () => {
  live("E7 is 503 store_unavailable with Retry-After on every route, and shows nothing internal", () =>
    Effect.gen(function* () {
      const apps = yield* started({ ports: altered(AppStore, (store) => ({ ...store, get: () => failing("get") })) })
      const lists = yield* started({ ports: altered(AppStore, (store) => ({ ...store, list: () => failing("list") })) })
      const news = yield* started({
        ports: altered(AppStore, (store) => ({ ...store, register: () => failing("register") }))
      })
      const usage = yield* started({
        ports: altered(DeploymentStore, (store) => ({ ...store, usage: () => failing("usage") }))
      })
      const body = { tenant: "acme", name: "web" }
      const answers = [
        yield* apps.call("GET", "/v1/apps/app_1"),
        yield* apps.call("PATCH", "/v1/apps/app_1", { body: {} }),
        yield* apps.call("GET", "/v1/apps/app_1/env"),
        yield* apps.call("PATCH", "/v1/apps/app_1/env", { body: { env: {} } }),
        yield* apps.call("POST", "/v1/apps/app_1/deployments"),
        yield* apps.call("GET", "/v1/apps/app_1/deployments"),
        yield* apps.call("GET", "/v1/apps/app_1/logs"),
        yield* lists.call("GET", "/v1/apps"),
        yield* news.call("POST", "/v1/apps", { body }),
        yield* usage.call("GET", "/v1/tenants/acme")
      ]
      for (const answer of answers) {
        assertProblem(answer, 503, "store_unavailable")
        assertRetry(answer)
        assertClosed(answer)
      }
    })
  )

  live("behind an App that can be read is the same", () =>
    Effect.gen(function* () {
      const begin = yield* started({
        ports: altered(DeploymentStore, (store) => ({
          ...store,
          begin: () => failing("begin"),
          list: () => failing("list")
        }))
      })
      const env = yield* started({
        ports: altered(EnvStore, (store) => ({
          ...store,
          read: () => failing("read"),
          revise: () => failing("revise")
        }))
      })
      const logs = yield* started({ ports: altered(LogStore, (store) => ({ ...store, read: () => failing("read") })) })
      const first = yield* createApp(begin.call)
      const second = yield* createApp(env.call)
      const third = yield* createApp(logs.call)
      const { fields: deployment } = yield* logs.call("POST", `/v1/apps/${third}/deployments`)
      const answers = [
        yield* begin.call("POST", `/v1/apps/${first}/deployments`),
        yield* begin.call("GET", `/v1/apps/${first}/deployments`),
        yield* env.call("GET", `/v1/apps/${second}/env`),
        yield* env.call("PATCH", `/v1/apps/${second}/env`, { body: { env: { A: "1" } } }),
        yield* logs.call("GET", `/v1/deployments/${deployment["id"]}/logs`),
        yield* logs.call("GET", `/v1/deployments/${deployment["id"]}/logs?follow=true`)
      ]
      for (const answer of answers) {
        assertProblem(answer, 503, "store_unavailable")
        assertRetry(answer)
        assertClosed(answer)
      }
    })
  )
})

describe("a defect", () => {
  live("is 500 internal_error and shows nothing internal", () =>
    Effect.gen(function* () {
      const ports = altered(AppStore, (store) => ({
        ...store,
        get: () => defect,
        list: () => defect,
        register: () => defect
      }))
      const { call } = yield* started({ ports })
      const answers = [
        yield* call("GET", "/v1/apps/app_1"),
        yield* call("GET", "/v1/apps"),
        yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "web" } })
      ]
      for (const answer of answers) {
        assertProblem(answer, 500, "internal_error")
        assertClosed(answer)
      }
    })
  )

  live("of an object that is not what it must be is one too", () =>
    Effect.gen(function* () {
      const broken = { tenant: "acme", jobCap: 1.5, running: Number.NaN, queued: 0 }
      const ports = altered(DeploymentStore, (store) => ({
        ...store,
        usage: (tenant) => Effect.succeed({ ...broken, tenant })
      }))
      const { call } = yield* started({ ports })
      assertProblem(yield* call("GET", "/v1/tenants/acme"), 500, "internal_error")
    })
  )
})

describe("what helps to act", () => {
  live("app_name_taken names it, and 503 ports_exhausted and env_busy say when to come back", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      yield* createApp(call)
      const taken = yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "web" } })
      assertProblem(taken, 409, "app_name_taken")
      assert.strictEqual(taken.fields["name"], "web")

      const full = () => Effect.fail(new PortsExhausted({ first: 1, last: 2 }))
      const exhausted = yield* started({ ports: altered(AppStore, (store) => ({ ...store, register: full })) })
      const noPort = yield* exhausted.call("POST", "/v1/apps", { body: { tenant: "acme", name: "web" } })
      assertProblem(noPort, 503, "ports_exhausted")
      assertRetry(noPort)

      const held = () => Effect.fail(new EnvBusy({ app: "app_1" }))
      const busy = yield* started({ ports: altered(EnvStore, (store) => ({ ...store, revise: held })) })
      const id = yield* createApp(busy.call)
      const waits = yield* busy.call("PATCH", `/v1/apps/${id}/env`, { body: { env: { A: "1" } } })
      assertProblem(waits, 503, "env_busy")
      assertRetry(waits)
    })
  )

  live("E7 queue_full has its limit and Retry-After", () =>
    Effect.gen(function* () {
      const full = () => Effect.fail(new DeploymentRefused({ reason: { _tag: "QueueFull", limit: 1_000 } }))
      const { call } = yield* started({ ports: altered(DeploymentStore, (store) => ({ ...store, begin: full })) })
      const answer = yield* call("POST", `/v1/apps/${yield* createApp(call)}/deployments`)
      assertProblem(answer, 429, "queue_full")
      assert.strictEqual(answer.fields["limit"], 1_000)
      assertRetry(answer)
    })
  )

  live("an App that is not live takes no changes, says how it stands, and is 404 once deleted", () =>
    Effect.gen(function* () {
      const { call, ports } = yield* started()
      const id = AppId.make(yield* createApp(call))
      const { apps } = Context.get(ports, MemoryState)
      const row = apps.get(id)
      assert.isDefined(row)
      const change = [`PATCH /v1/apps/${id}`, `PATCH /v1/apps/${id}/env`, `POST /v1/apps/${id}/deployments`]
      for (const status of ["stopped", "expired", "deleting"] as const) {
        if (row !== undefined) row.app = { ...row.app, status }
        for (const request of change) {
          const [method = "", path = ""] = request.split(" ")
          const isEnv = path.endsWith("/env")
          const answer = yield* call(method, path, { body: isEnv ? { env: { A: status } } : {} })
          if (isEnv && status === "stopped") assert.strictEqual(answer.status, 200)
          else if (isEnv && status === "deleting") assertProblem(answer, 409, "app_deleting")
          else assertProblem(answer, 409, "app_not_live")
          if (answer.fields["code"] === "app_not_live") assert.strictEqual(answer.fields["appStatus"], status)
        }
      }
      if (row !== undefined) row.app = { ...row.app, status: "deleted" }
      for (const request of [...change, `GET /v1/apps/${id}`, `GET /v1/apps/${id}/env`]) {
        const [method = "", path = ""] = request.split(" ")
        const body = method === "GET" ? {} : { body: path.endsWith("/env") ? { env: {} } : {} }
        assertProblem(yield* call(method, path, body), 404, "not_found")
      }
      assert.strictEqual(
        (yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "web", source: archive } })).status,
        201
      )
    })
  )
})
