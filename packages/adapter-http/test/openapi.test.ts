// The OpenAPI document and the pages around it: what is served is described, and what is described is served.
import { OpenApi } from "effect/http-api"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Api } from "../src/api/Api.ts"
import { type Fields, live, started } from "./support/call.ts"

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly security: ReadonlyArray<Fields>
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly in: string; readonly required: boolean }>
  readonly requestBody?: { readonly content: Fields }
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Fields; readonly headers?: Fields }>
  >
}

interface Document {
  readonly openapi: string
  readonly info: Fields
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Fields; readonly securitySchemes: Fields }
}

const document: Document = JSON.parse(JSON.stringify(OpenApi.fromApi(Api)))

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    route: `${method.toUpperCase()} ${path}`,
    path,
    method,
    ...operation
  }))
)

/** Every route that is built, and the codes of its problems besides those that every route below /v1 has. */
const built: Readonly<Record<string, ReadonlyArray<string>>> = {
  "GET /healthz": [],
  "GET /readyz": [],
  "GET /metrics": [],
  "GET /openapi.json": [],
  "GET /docs": [],
  "GET /v1/tenants/{tenant}": [],
  "PUT /v1/tenants/{tenant}": ["forbidden", "invalid_job_cap"],
  "POST /v1/apps": ["app_name_taken", "invalid_source", "ports_exhausted"],
  "GET /v1/apps": [],
  "GET /v1/apps/{app}": [],
  "PATCH /v1/apps/{app}": ["app_not_live", "invalid_source"],
  "DELETE /v1/apps/{app}": [],
  "POST /v1/apps/{app}/stop": ["app_not_live"],
  "POST /v1/apps/{app}/start": [
    "app_not_stopped",
    "no_release",
    "deployment_in_progress",
    "revision_mismatch",
    "queue_full"
  ],
  "POST /v1/apps/{app}/redeploy": [
    "not_redeployable",
    "no_release",
    "deployment_in_progress",
    "revision_mismatch",
    "queue_full"
  ],
  "POST /v1/apps/{app}/rollback": [
    "not_redeployable",
    "image_gone",
    "engine_unavailable",
    "deployment_in_progress",
    "revision_mismatch",
    "queue_full"
  ],
  "GET /v1/apps/{app}/releases": [],
  "POST /v1/deployments/{deployment}/cancel": ["already_terminal"],
  "PUT /v1/apps/{app}/expiry": ["app_not_live"],
  "GET /v1/apps/{app}/env": [],
  "PATCH /v1/apps/{app}/env": [
    "missing_env",
    "invalid_env_key",
    "invalid_env_value",
    "app_deleting",
    "app_not_live",
    "revision_mismatch",
    "env_too_large",
    "env_busy"
  ],
  "PUT /v1/apps/{app}/env": [
    "missing_env",
    "invalid_env_key",
    "invalid_env_value",
    "app_deleting",
    "app_not_live",
    "revision_mismatch",
    "if_match_required",
    "env_too_large",
    "env_busy"
  ],
  "GET /v1/apps/{app}/env/history": [],
  "POST /v1/apps/{app}/deployments": [
    "deployment_in_progress",
    "app_not_live",
    "no_source",
    "revision_mismatch",
    "queue_full",
    "invalid_source"
  ],
  "GET /v1/apps/{app}/deployments": [],
  "GET /v1/deployments/{deployment}": [],
  "GET /v1/deployments/{deployment}/explanation": [],
  "GET /v1/deployments/{deployment}/logs": [],
  "GET /v1/apps/{app}/logs": [],
  "POST /v1/apps/{app}/jobs": ["app_not_live", "no_release", "job_cap_reached", "queue_full"],
  "GET /v1/jobs": [],
  "GET /v1/jobs/{job}": [],
  "GET /v1/jobs/{job}/items": [],
  "GET /v1/jobs/{job}/logs": [],
  "POST /v1/jobs/{job}/cancel": ["already_terminal"],
  "POST /v1/runs": [
    "invalid_topology",
    "mutable_image",
    "pool_exhausted",
    "unknown_target",
    "keep_too_long",
    "job_cap_reached",
    "engine_unavailable"
  ],
  "GET /v1/runs": [],
  "GET /v1/runs/{run}": [],
  "GET /v1/runs/{run}/logs": [],
  "POST /v1/runs/{run}/cancel": ["already_terminal"],
  "PUT /v1/runs/{run}/keep": ["already_terminal", "keep_too_long"],
  "POST /v1/jobs/{job}/rerun": [
    "app_not_live",
    "no_release",
    "job_cap_reached",
    "queue_full",
    "already_running",
    "nothing_to_do"
  ],
  "GET /v1/events": []
}

const schemaNamed = (name: string): string => JSON.stringify(document.components.schemas[name])

/** A value as text with its references replaced by what they refer to. */
const resolved = (value: unknown): string =>
  JSON.stringify(value).replace(/\{"\$ref":"#\/components\/schemas\/(\w+)"\}/g, (_, name: string) => schemaNamed(name))

const codesOf = (responses: Operation["responses"], status: string): ReadonlyArray<string> =>
  [...resolved(responses[status]?.content ?? {}).matchAll(/urn:lockkeeper:problem:(\w+)/g)].map(
    ([, code]) => code ?? ""
  )

describe("the document", () => {
  live("X13 is OpenAPI 3.1, and served as it is made", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const answer = yield* call("GET", "/openapi.json", { token: null })
      assert.strictEqual(answer.headers.get("content-type"), "application/json")
      assert.deepStrictEqual(JSON.parse(answer.text), document)
      assert.match(document.openapi, /^3\.1\.\d+$/)
      assert.containsAllKeys(document.info, ["title", "version"])
      assert.deepStrictEqual(document.components.securitySchemes["bearer"], { type: "http", scheme: "bearer" })
    })
  )

  it("X13 has every route that is built and no other", () => {
    assert.sameMembers(
      operations.map(({ route }) => route),
      Object.keys(built)
    )
  })

  it("X13 names what every operation may answer, by code", () => {
    for (const { route, path, responses } of operations) {
      const codes = Object.keys(responses).flatMap((status) => codesOf(responses, status))
      const always = path.startsWith("/v1") ? ["unauthorized", "invalid_body", "store_unavailable"] : []
      const ofSomething = always.length > 0 && route !== "GET /v1/events" ? ["not_found"] : []
      assert.includeMembers(codes, [...always, ...ofSomething, ...(built[route] ?? ["an unknown route"])], route)
      assert.notInclude(codes, "idempotency_unsupported", route)
    }
  })

  it("X13 has unique operation ids, required path parameters, a description for every answer, and no loose reference", () => {
    assert.lengthOf(new Set(operations.map(({ operationId }) => operationId)), operations.length)
    for (const { route, path, parameters, responses, summary } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const inPath = parameters.filter((parameter) => parameter.in === "path")
      assert.sameMembers(
        inPath.map(({ name }) => name),
        named,
        route
      )
      assert.isTrue(
        inPath.every(({ required }) => required),
        route
      )
      assert.isNotEmpty(summary, route)
      for (const { description } of Object.values(responses)) assert.isNotEmpty(description, route)
    }
    for (const [, name = ""] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.property(document.components.schemas, name)
    }
  })

  it("B11 X13 takes an idempotency key where something is asked for that must not be done twice, and says what may come of it", () => {
    const taking = operations.filter(({ parameters }) => parameters.some(({ name }) => name === "idempotency-key"))
    assert.sameMembers(
      taking.map(({ route }) => route),
      operations.filter(({ method }) => method === "post" || method === "patch").map(({ route }) => route)
    )
    assert.isNotEmpty(taking)
    for (const operation of operations) {
      const codes = Object.keys(operation.responses).flatMap((status) => codesOf(operation.responses, status))
      const aboutKeys = codes.filter((code) => code.startsWith("idempotency"))
      const expected = taking.includes(operation) ? ["idempotency_key_reused", "idempotency_in_progress"] : []
      assert.deepStrictEqual(aboutKeys, expected, operation.route)
    }
  })

  it("X13 asks for the bearer token on everything below /v1 and on nothing else", () => {
    for (const { route, path, security } of operations) {
      assert.deepStrictEqual(security, path.startsWith("/v1") ? [{ bearer: [] }] : [], route)
    }
  })

  it("X13 says which errors are problem documents, which carry Retry-After, and what a body must be", () => {
    for (const { route, path, responses, requestBody } of operations) {
      for (const [status, { content = {}, headers = {} }] of Object.entries(responses)) {
        const isProblem = Number(status) >= 400 && route !== "GET /readyz"
        if (isProblem) assert.deepStrictEqual(Object.keys(content), ["application/problem+json"], `${route} ${status}`)
        if (status === "429" || status === "503") assert.property(headers, "retry-after", `${route} ${status}`)
      }
      if (requestBody !== undefined) {
        assert.deepStrictEqual(Object.keys(requestBody.content), ["application/json"])
        assert.containsAllKeys(responses, ["413", "415"])
      }
      if (path.endsWith("/logs")) {
        const types = Object.keys(responses["200"]?.content ?? {})
        assert.deepStrictEqual(types, ["application/x-ndjson", "text/event-stream"])
      }
    }
  })

  it("names Location and ETag where they are", () => {
    const headersOf = (route: string, status: string) =>
      Object.keys(operations.find((operation) => operation.route === route)?.responses[status]?.headers ?? {})
    assert.deepStrictEqual(headersOf("POST /v1/apps", "201"), ["location"])
    assert.deepStrictEqual(headersOf("POST /v1/apps/{app}/deployments", "202"), ["location"])
    assert.deepStrictEqual(headersOf("GET /v1/apps/{app}/env", "200"), ["etag"])
    assert.deepStrictEqual(headersOf("PATCH /v1/apps/{app}/env", "200"), ["etag"])
    assert.deepStrictEqual(headersOf("PUT /v1/apps/{app}/env", "200"), ["etag"])
  })

  it("INV-11 has a deploy key only where one is sent", () => {
    for (const { route, responses } of operations) assert.notInclude(resolved(responses), "deployKey", route)
    assert.notInclude(JSON.stringify(document), "PRIVATE KEY")
  })

  live("X13 describes only routes that are there", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      for (const { route, method, path } of operations) {
        const isEndless = route === "GET /v1/events"
        const answer = yield* call(
          method.toUpperCase(),
          isEndless ? `${path}?after=x` : path.replace(/\{\w+\}/g, "x"),
          method === "get" ? {} : { body: "{" }
        )
        assert.notInclude([405, 500], answer.status, route)
        if (answer.status === 404) assert.strictEqual(answer.fields["detail"], "there is no such thing", route)
      }
    })
  )
})

describe("the documentation page", () => {
  live("loads nothing from another host, and may not", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const answer = yield* call("GET", "/docs", { token: null })
      assert.match(answer.headers.get("content-type") ?? "", /^text\/html/)
      assert.match(answer.text, /^<!doctype html>/i)
      assert.include(answer.text, "Lockkeeper")
      const outside = /<(?:script|link|img|iframe|style)\b[^>]*\b(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i
      assert.notMatch(answer.text, outside)
      const policy = answer.headers.get("content-security-policy") ?? ""
      assert.include(policy, "default-src 'self'")
      assert.notMatch(policy, /https?:|\*/)
    })
  )
})
