// Jobs as the wire shows them: what they take, what they answer, and to whom.
import { AppId } from "@lockkeeper/core/domain/App"
import { JobId } from "@lockkeeper/core/domain/Job"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { deployed, longTerms } from "@lockkeeper/core/testing/Fixture"
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Schedule } from "effect"
import { assertProblem, createApp, each, type Fields, live, started, textAt } from "./support/call.ts"
import { altered, tokens } from "./support/memoryServer.ts"

const command = ["echo", "hello"]

/** A server with one App that has a Release. */
const withApp = Effect.fnUntraced(function* (work: "carried out" | "left alone" = "left alone") {
  const server = yield* started({ work })
  const { call, ports } = server
  const id = yield* createApp(call)
  const app = yield* Context.get(ports, AppStore).get(AppId.make(id))
  const { deployment } = yield* Effect.provideContext(deployed(app), ports)
  if (deployment.image !== null) Context.get(ports, MemoryState).images.add(deployment.image)
  const path = `/v1/apps/${id}/jobs`
  const begin = (fields: Fields = {}) => call("POST", path, { body: { command, ...fields } })
  const store = Context.get(ports, JobStore)
  const claimOf = Effect.fnUntraced(function* (job: string) {
    const by = { replica: ReplicaId.make("test"), terms: longTerms }
    yield* store.abandon(by.replica)
    const claims = yield* store.claimAbandoned(by, 10)
    return claims.find((claim) => claim.job.id === job) ?? assert.fail("no claim")
  })
  return { ...server, app, path, begin, store, claimOf }
})

describe("a Job", () => {
  live("X10 begins with 201, where it is to be seen, and as the contract says", () =>
    Effect.gen(function* () {
      const { app, begin, call } = yield* withApp()
      const answer = yield* begin()
      assert.strictEqual(answer.status, 201, answer.text)
      const id = textAt(answer.fields, "id")
      assert.strictEqual(answer.headers.get("location"), `/v1/jobs/${id}`)
      const { createdAt, startedAt, ...rest } = answer.fields
      assert.deepStrictEqual(rest, {
        id,
        tenant: app.tenant,
        app: app.id,
        kind: "command",
        status: "running",
        attempt: 1,
        exitCode: null,
        items: { total: 0, done: 0, failed: 0 },
        queuePosition: null,
        finishedAt: null
      })
      assert.match(`${String(createdAt)} ${String(startedAt)}`, /^\d{4}-\d\d-\d\dT.*Z \d{4}-\d\d-\d\dT.*Z$/)
      assert.deepStrictEqual((yield* call("GET", `/v1/jobs/${id}`)).fields, answer.fields)
    })
  )

  live("K1 without a free slot is refused with 429, the limit and what runs, or waits with its position", () =>
    Effect.gen(function* () {
      const { app, begin, call } = yield* withApp()
      for (const _ of [1, 2, 3]) assert.strictEqual((yield* begin()).status, 201)
      const refused = yield* begin()
      assertProblem(refused, 429, "job_cap_reached")
      assert.deepInclude(refused.fields, { limit: 3, running: 3 })
      assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/)
      const waiting = yield* begin({ onFull: "queue" })
      assert.deepInclude(waiting.fields, { status: "queued", queuePosition: 1, startedAt: null })
      const usage = yield* call("GET", `/v1/tenants/${app.tenant}`)
      assert.deepInclude(usage.fields, { running: 3, queued: 1 })
    })
  )

  live("is refused with its reason: no such app, no release, an app that does not live", () =>
    Effect.gen(function* () {
      const { begin, call, app } = yield* withApp()
      const bare = yield* createApp(call, { name: "bare" })
      assertProblem(yield* call("POST", "/v1/apps/app_none/jobs", { body: { command } }), 404, "not_found")
      assertProblem(yield* call("POST", `/v1/apps/${bare}/jobs`, { body: { command } }), 409, "no_release")
      yield* call("POST", `/v1/apps/${app.id}/stop`)
      assertProblem(yield* begin(), 409, "app_not_live")
    })
  )

  live("takes what is declared and nothing else", () =>
    Effect.gen(function* () {
      const { begin, call, path } = yield* withApp()
      const bad: ReadonlyArray<Fields> = [
        { command: [] },
        { command: [""] },
        { command: "echo hello" },
        { command: ["a\u0000b"] },
        { items: [] },
        { items: ["a\u0000"] },
        { items: ["x".repeat(4_097)] },
        { items: Array.from({ length: 10_001 }, () => "") },
        { itemConcurrency: 0 },
        { itemConcurrency: 33 },
        { onItemFailure: "panic" },
        { onFull: "wait" },
        { timeoutSeconds: 0 },
        { ttlSeconds: 59 },
        { ttlSeconds: 0.5 },
        { timeoutSeconds: 86_401 },
        { timeoutSeconds: 1.5 },
        { shell: true }
      ]
      for (const fields of bad) assertProblem(yield* begin(fields), 400, "invalid_body")
      assertProblem(yield* call("POST", path, { body: {} }), 400, "invalid_body")
      const most = {
        items: ["x".repeat(4_096), "", "ü\n"],
        itemConcurrency: 32,
        timeoutSeconds: 86_400,
        ttlSeconds: 60
      }
      const answer = yield* begin({ ...most, onFull: "queue", onItemFailure: "stop" })
      assert.deepInclude(answer.fields, { kind: "batch", items: { total: 3, done: 0, failed: 0 } })
    })
  )

  live("X13 of another tenant is a 404 like a missing one, in every route, and in no list", () =>
    Effect.gen(function* () {
      const { app, begin, call } = yield* withApp()
      const id = textAt((yield* begin()).fields, "id")
      const token = tokens.other
      const missing = yield* call("GET", "/v1/jobs/job_none", { token })
      for (const path of [`/v1/jobs/${id}`, `/v1/jobs/${id}/items`, `/v1/jobs/${id}/logs`, "/v1/jobs/x"]) {
        const answer = yield* call("GET", path, { token })
        assertProblem(answer, 404, "not_found")
        assert.strictEqual(answer.fields["detail"], missing.fields["detail"])
      }
      for (const what of ["cancel", "rerun"]) {
        assertProblem(yield* call("POST", `/v1/jobs/${id}/${what}`, { token }), 404, "not_found")
      }
      assertProblem(yield* call("POST", `/v1/apps/${app.id}/jobs`, { token, body: { command } }), 404, "not_found")
      assert.deepStrictEqual(each(yield* call("GET", `/v1/jobs?app=${app.id}`, { token }), "id"), [])
      assert.deepStrictEqual(each(yield* call("GET", "/v1/jobs", { token: tokens.acme }), "id"), [id])
    })
  )

  live("is listed newest first, by app and by status, page by page", () =>
    Effect.gen(function* () {
      const { app, begin, call } = yield* withApp()
      const ids = yield* Effect.forEach([1, 2, 3, 4], () =>
        Effect.map(begin({ onFull: "queue" }), ({ fields }) => textAt(fields, "id"))
      )
      const newest = [...ids].reverse()
      const first = yield* call("GET", `/v1/jobs?app=${app.id}&limit=3`)
      assert.deepStrictEqual(each(first, "id"), newest.slice(0, 3))
      const rest = yield* call("GET", `/v1/jobs?app=${app.id}&limit=3&cursor=${String(first.fields["nextCursor"])}`)
      assert.deepStrictEqual([each(rest, "id"), rest.fields["nextCursor"]], [newest.slice(3), null])
      assert.deepStrictEqual(each(yield* call("GET", "/v1/jobs?status=queued"), "id"), newest.slice(0, 1))
      assert.deepStrictEqual(each(yield* call("GET", "/v1/jobs?app=app_none"), "id"), [])
      assert.deepStrictEqual(each(yield* call("GET", "/v1/jobs?app=%27"), "id"), [])
      assertProblem(yield* call("GET", "/v1/jobs?status=odd"), 400, "invalid_body")
    })
  )

  live("INV-4 is cancelled at once while it waits, is asked to while it runs, and stays as it has ended", () =>
    Effect.gen(function* () {
      const { begin, call, claimOf, store } = yield* withApp()
      const [running, ended] = [yield* begin(), yield* begin(), yield* begin()].map(({ fields }) =>
        textAt(fields, "id")
      )
      const waiting = textAt((yield* begin({ onFull: "queue" })).fields, "id")
      const cancel = (id = "") => call("POST", `/v1/jobs/${id}/cancel`)
      const answer = yield* cancel(waiting)
      assert.deepStrictEqual([answer.status, answer.fields["status"]], [202, "cancelled"])
      assert.deepStrictEqual((yield* cancel(waiting)).fields, answer.fields)
      const asked = yield* cancel(running)
      assert.deepStrictEqual([asked.status, asked.fields["status"]], [202, "running"])
      yield* store.finish(yield* claimOf(ended ?? ""), { status: "succeeded", exitCode: 0 })
      const refused = yield* cancel(ended)
      assertProblem(refused, 409, "already_terminal")
      assert.strictEqual(refused.fields["jobStatus"], "succeeded")
    })
  )

  live("K9 is run again once it has failed, not while it runs and not after success", () =>
    Effect.gen(function* () {
      const { begin, call, claimOf, store } = yield* withApp()
      const id = textAt((yield* begin()).fields, "id")
      const rerun = call("POST", `/v1/jobs/${id}/rerun`)
      assertProblem(yield* rerun, 409, "already_running")
      yield* store.finish(yield* claimOf(id), { status: "failed", exitCode: 9 })
      assertProblem(yield* call("POST", `/v1/jobs/${id}/cancel`), 409, "already_terminal")
      const again = yield* rerun
      assert.strictEqual(again.status, 202)
      assert.deepInclude(again.fields, { id, attempt: 2, status: "running", exitCode: null, finishedAt: null })
      yield* store.finish(yield* claimOf(id), { status: "succeeded", exitCode: 0 })
      assertProblem(yield* rerun, 409, "nothing_to_do")
    })
  )

  live("H13 has its items in their order, page by page, each with how it ended", () =>
    Effect.gen(function* () {
      const { begin, call } = yield* withApp("carried out")
      const answer = yield* begin({ command: ["env"], items: ["b", "a", "c"], itemConcurrency: 3 })
      const id = textAt(answer.fields, "id")
      const status = Effect.map(call("GET", `/v1/jobs/${id}`), ({ fields }) => fields["status"])
      yield* Effect.repeat(status, {
        until: (seen) => seen === "succeeded",
        schedule: Schedule.spaced("20 millis"),
        times: 200
      })
      const first = yield* call("GET", `/v1/jobs/${id}/items?limit=2`)
      assert.deepStrictEqual(each(first, "item"), ["b", "a"])
      assert.match(first.text, /"number":1.*"number":2/)
      const rest = yield* call("GET", `/v1/jobs/${id}/items?limit=2&cursor=${String(first.fields["nextCursor"])}`)
      assert.deepStrictEqual([each(rest, "item"), each(rest, "status")], [["c"], ["done"]])
      assert.match(rest.text, /"number":3.*"exitCode":0/)
      assert.notInclude(first.text, "result")
      const log = yield* call("GET", `/v1/jobs/${id}/logs?follow=true`)
      assert.match(log.text, /"line":"LOCKKEEPER_ITEM=a".*\n?/)
      const [line = "", end = ""] = log.text.trim().split("\n").slice(-2)
      assert.match(end, /"end":true,"status":"succeeded"/)
      assert.strictEqual(/"seq":\d+/.exec(end)?.[0], /"seq":\d+/.exec(line)?.[0])
    })
  )

  live("R3 that the store does not take is a 503, and nothing runs", () =>
    Effect.gen(function* () {
      const away = new StoreError({ operation: "JobStore.begin", reason: "unavailable", cause: "away" })
      const ports = altered(JobStore, (store) => ({
        ...store,
        begin: () => Effect.fail(away),
        requestCancel: () => Effect.fail(away),
        list: () => Effect.fail(away)
      }))
      const { call, ports: there } = yield* started({ ports })
      const id = yield* createApp(call)
      yield* Effect.provideContext(deployed(yield* Context.get(there, AppStore).get(AppId.make(id))), there)
      assertProblem(yield* call("POST", `/v1/apps/${id}/jobs`, { body: { command } }), 503, "store_unavailable")
      assertProblem(yield* call("GET", "/v1/jobs"), 503, "store_unavailable")
      assertProblem(yield* call("GET", `/v1/jobs/${JobId.make("job_none")}`), 404, "not_found")
    })
  )
})
