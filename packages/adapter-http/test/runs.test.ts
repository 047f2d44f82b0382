// Runs as the wire shows them: what they take, what they answer, and to whom.
import { assert, describe } from "@effect/vitest"
import { RunId } from "@lockkeeper/core/domain/Run"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import * as Runs from "@lockkeeper/core/testing/RunFixture"
import { Context, DateTime, Effect } from "effect"
import { assertProblem, type Fields, live, started, textAt } from "./support/call.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { altered, tokens } from "./support/memoryServer.ts"

const node = (name: string, more: Fields = {}): Fields => ({ name, image: "registry.example/app:1.2", ...more })

const topology = {
  tenant: "acme",
  name: "checkout",
  nodes: [node("db", { ports: [5432] }), node("app", { ports: [8080], dependsOn: ["db"], env: { MODE: "s3cret" } })],
  steps: [{ name: "load", node: "app", command: ["true"], timeoutSeconds: 5 }]
}

/** Where a Run stands at the beginning. */
const begun = (target: string): Fields => ({
  tenant: "acme",
  name: "checkout",
  target,
  status: "provisioning",
  nodes: [
    { name: "db", status: "pending", image: "registry.example/app:1.2", address: null },
    { name: "app", status: "pending", image: "registry.example/app:1.2", address: null }
  ],
  steps: [],
  verdict: null,
  keepUntil: null,
  error: null,
  cancelling: false,
  startedAt: null,
  finishedAt: null
})

const withServer = Effect.fnUntraced(function* (work: "carried out" | "left alone" = "left alone") {
  const server = yield* started({ work })
  const begin = (fields: Fields = {}, token = tokens.admin) =>
    server.call("POST", "/v1/runs", { body: { ...topology, ...fields }, token })
  const inHours = (hours: number) => Effect.map(DateTime.now, (now) => DateTime.formatIso(DateTime.add(now, { hours })))
  return { ...server, begin, inHours }
})

describe("a Run", () => {
  live("INV-15 begins with 202, where it is to be seen, and as the contract says", () =>
    Effect.gen(function* () {
      const { begin, call } = yield* withServer()
      const answer = yield* begin()
      assert.strictEqual(answer.status, 202, answer.text)
      const id = textAt(answer.fields, "id")
      assert.match(id, /^run_[a-z0-9]+$/)
      assert.strictEqual(answer.headers.get("location"), `/v1/runs/${id}`)
      const { cleanup, createdAt, network, target, ...rest } = answer.fields
      assert.deepStrictEqual({ ...rest, target }, { id, ...begun(textAt(answer.fields, "target")) })
      assert.match(String(createdAt), /^\d{4}-\d\d-\d\dT.*Z$/)
      assert.match(JSON.stringify(network), /^\{"cidr":"\d+\.\d+\.\d+\.\d+\/\d+"\}$/)
      assert.include(["none", "pending"], cleanup)
      assert.notInclude(answer.text, "s3cret")
      assert.deepStrictEqual((yield* call("GET", `/v1/runs/${id}`)).fields, answer.fields)
      assert.deepInclude((yield* call("GET", "/v1/tenants/acme")).fields, { running: 1 })
    })
  )

  live("is carried out: its steps have results, its verdict is there, and nothing is left", () =>
    Effect.gen(function* () {
      const { begin, call } = yield* withServer("carried out")
      const id = textAt((yield* begin()).fields, "id")
      const over = yield* eventually(
        "its end",
        call("GET", `/v1/runs/${id}`),
        ({ fields }) => fields["finishedAt"] !== null
      )
      assert.deepInclude(over.fields, { status: "succeeded", verdict: "pass", cleanup: "done", error: null })
      const steps = JSON.parse(JSON.stringify(over.fields["steps"]))
      assert.deepInclude(steps[0], { name: "load", exitCode: 0, metrics: {} })
      const log = yield* call("GET", `/v1/runs/${id}/logs`)
      const lines = log.text.trim().split("\n")
      assert.deepInclude(JSON.parse(lines.at(-1) ?? ""), { end: true, status: "succeeded" })
      assert.deepInclude((yield* call("GET", "/v1/tenants/acme")).fields, { running: 0 })
      assertProblem(yield* call("POST", `/v1/runs/${id}/cancel`), 409, "already_terminal")
    })
  )

  live("H36 with parts that do not fit, or an image without a version, is refused with the node", () =>
    Effect.gen(function* () {
      const { begin, call } = yield* withServer()
      const cases: ReadonlyArray<readonly [Fields, string, string]> = [
        [
          { nodes: [node("a", { dependsOn: ["b"] }), node("b", { dependsOn: ["a"] })], steps: [] },
          "invalid_topology",
          "a"
        ],
        [{ nodes: [node("a", { dependsOn: ["c"] })], steps: [] }, "invalid_topology", "a"],
        [{ nodes: [node("a"), node("a")], steps: [] }, "invalid_topology", "a"],
        [{ nodes: [{ name: "a" }], steps: [] }, "invalid_topology", "a"],
        [{ nodes: [node("a", { image: "app" })], steps: [] }, "mutable_image", "a"],
        [{ nodes: [node("a", { image: "app:latest" })], steps: [] }, "mutable_image", "a"],
        [{ steps: [{ name: "load", node: "nobody", command: ["true"] }] }, "invalid_topology", "nobody"]
      ]
      for (const [fields, code, where] of cases) {
        const answer = yield* begin(fields)
        assertProblem(answer, 400, code)
        assert.strictEqual(answer.fields["node"], where)
      }
      assertProblem(yield* begin({ nodes: [] }), 400, "invalid_body")
      assertProblem(yield* begin({ thresholds: [{ metric: "p95" }] }), 400, "invalid_body")
      assertProblem(yield* begin({ surprise: true }), 400, "invalid_body")
      assert.deepStrictEqual((yield* call("GET", "/v1/runs")).fields["items"], [])
    })
  )

  live("H1 for a target that nobody makes is refused with those that there are", () =>
    Effect.gen(function* () {
      const { begin } = yield* withServer()
      const answer = yield* begin({ target: "moon" })
      assertProblem(answer, 422, "unknown_target")
      assert.isNotEmpty(answer.fields["known"])
    })
  )

  live("K1 without a free slot is refused with 429, and nothing is kept for it", () =>
    Effect.gen(function* () {
      const { begin, call } = yield* withServer()
      yield* call("PUT", "/v1/tenants/acme", { body: { jobCap: 1 } })
      assert.strictEqual((yield* begin()).status, 202)
      const refused = yield* begin()
      assertProblem(refused, 429, "job_cap_reached")
      assert.deepInclude(refused.fields, { limit: 1, running: 1 })
      assert.lengthOf(JSON.parse((yield* call("GET", "/v1/runs")).text).items, 1)
    })
  )

  live("H40 is kept at most a day ahead, for longer or shorter until it has ended", () =>
    Effect.gen(function* () {
      const { begin, call, inHours } = yield* withServer()
      assertProblem(yield* begin({ keepUntil: yield* inHours(25) }), 400, "keep_too_long")
      const keepUntil = yield* inHours(1)
      const run = yield* begin({ keepUntil })
      const path = `/v1/runs/${textAt(run.fields, "id")}`
      assert.strictEqual(run.fields["keepUntil"], keepUntil)
      const until = yield* inHours(23)
      assert.strictEqual((yield* call("PUT", `${path}/keep`, { body: { until } })).fields["keepUntil"], until)
      assertProblem(yield* call("PUT", `${path}/keep`, { body: { until: yield* inHours(25) } }), 400, "keep_too_long")
      assertProblem(yield* call("PUT", `${path}/keep`, { body: {} }), 400, "invalid_body")
    })
  )

  live("H40 that is kept is removed at once when it is cancelled, and ends as it came out", () =>
    Effect.gen(function* () {
      const { begin, call, inHours } = yield* withServer("carried out")
      const id = textAt((yield* begin({ keepUntil: yield* inHours(1) })).fields, "id")
      const look = call("GET", `/v1/runs/${id}`)
      const kept = yield* eventually("its verdict", look, ({ fields }) => fields["verdict"] !== null)
      assert.deepInclude(kept.fields, { status: "running", verdict: "pass", finishedAt: null })
      assert.strictEqual((yield* call("POST", `/v1/runs/${id}/cancel`)).status, 202)
      const over = yield* eventually("its end", look, ({ fields }) => fields["finishedAt"] !== null)
      assert.deepInclude(over.fields, { status: "succeeded", cleanup: "done", keepUntil: null })
      assertProblem(
        yield* call("PUT", `/v1/runs/${id}/keep`, { body: { until: yield* inHours(1) } }),
        409,
        "already_terminal"
      )
    })
  )

  live("is cancelled with 202, again as well, and says so until it has ended", () =>
    Effect.gen(function* () {
      const { begin, call, inHours } = yield* withServer()
      const path = `/v1/runs/${textAt((yield* begin()).fields, "id")}`
      for (const _ of [1, 2]) {
        const answer = yield* call("POST", `${path}/cancel`)
        assert.strictEqual(answer.status, 202)
        assert.deepInclude(answer.fields, { status: "provisioning", cancelling: true })
      }
      const keep = yield* call("PUT", `${path}/keep`, { body: { until: yield* inHours(1) } })
      assertProblem(keep, 409, "already_terminal")
      assert.deepInclude(keep.fields, { runStatus: "provisioning", detail: "it is about to end, and kept no longer" })
    })
  )

  live("is cancelled with 202 once it has ended so, and stays as it is", () =>
    Effect.gen(function* () {
      const { begin, call, ports } = yield* withServer()
      const id = textAt((yield* begin()).fields, "id")
      const row = Context.get(ports, MemoryState).runs.get(RunId.make(id)) ?? assert.fail("no run")
      yield* call("POST", `/v1/runs/${id}/cancel`)
      yield* Effect.provideContext(Runs.ended({ ...row }), ports)
      const over = yield* call("GET", `/v1/runs/${id}`)
      assert.deepInclude(over.fields, { status: "cancelled", cancelling: false })
      const again = yield* call("POST", `/v1/runs/${id}/cancel`)
      assert.deepStrictEqual([again.status, again.fields], [202, over.fields])
    })
  )

  live("INV-13 that begins while its server still gives up what its predecessor held is not given up with that", () =>
    Effect.gen(function* () {
      const slow = altered(JobStore, (jobs) => ({
        ...jobs,
        abandon: (replica) => Effect.delay(jobs.abandon(replica), "300 millis")
      }))
      const { call } = yield* started({ work: "carried out", ports: slow })
      const steps = [{ name: "load", node: "db", command: ["hold", "on"] }]
      const begun = yield* call("POST", "/v1/runs", { body: { ...topology, steps } })
      assert.strictEqual(begun.status, 202, begun.text)
      const path = `/v1/runs/${textAt(begun.fields, "id")}`
      yield* Effect.sleep("1500 millis")
      assert.deepInclude((yield* call("GET", path)).fields, { status: "running", error: null })
      yield* call("POST", `${path}/cancel`)
    })
  )

  live("is nobody else's: to another tenant it is not there", () =>
    Effect.gen(function* () {
      const { begin, call } = yield* withServer()
      assertProblem(yield* begin({}, tokens.other), 404, "not_found")
      const id = textAt((yield* begin({}, tokens.acme)).fields, "id")
      const token = tokens.other
      for (const path of [`/v1/runs/${id}`, `/v1/runs/${id}/logs`, "/v1/runs/run_none", "/v1/runs/none"]) {
        assertProblem(yield* call("GET", path, { token }), 404, "not_found")
      }
      assertProblem(yield* call("POST", `/v1/runs/${id}/cancel`, { token }), 404, "not_found")
      assert.deepStrictEqual((yield* call("GET", "/v1/runs", { token })).fields["items"], [])
      assertProblem(yield* call("GET", "/v1/runs?tenant=acme", { token }), 404, "not_found")
    })
  )

  live("is listed newest first, by tenant and by status, page by page", () =>
    Effect.gen(function* () {
      const { begin, call } = yield* withServer()
      const ids = new Array<string>()
      for (const _ of [1, 2, 3]) ids.unshift(textAt((yield* begin()).fields, "id"))
      const list = Effect.fnUntraced(function* (query: string) {
        const { items, nextCursor } = JSON.parse((yield* call("GET", `/v1/runs?${query}`)).text)
        return { ids: items.map(({ id }: { readonly id: string }) => id), nextCursor }
      })
      assert.deepStrictEqual((yield* list("tenant=acme&status=provisioning")).ids, ids)
      assert.deepStrictEqual((yield* list("status=running")).ids, [])
      const first = yield* list("limit=2")
      assert.deepStrictEqual(first.ids, ids.slice(0, 2))
      assert.deepStrictEqual((yield* list(`limit=2&cursor=${first.nextCursor}`)).ids, ids.slice(2))
    })
  )

  live("U8 asked for twice under one idempotency key begins once", () =>
    Effect.gen(function* () {
      const { call } = yield* withServer()
      const headers = { "idempotency-key": "run-1" }
      const first = yield* call("POST", "/v1/runs", { body: topology, headers })
      const second = yield* call("POST", "/v1/runs", { body: topology, headers })
      assert.deepStrictEqual(second.fields, first.fields)
      assert.strictEqual(second.headers.get("idempotency-replayed"), "true")
    })
  )
})
