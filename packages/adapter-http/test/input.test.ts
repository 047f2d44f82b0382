// Bad input: refused with the right problem, nothing done, and nothing of what was sent repeated.
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "node:http"
import { type Answer, archive, assertProblem, createApp, each, live, started } from "./support/call.ts"
import { tokens } from "./support/memoryServer.ts"

const canary = "CANARY5432"

const app = { tenant: "acme", name: "web" }
const git = { type: "git", url: "https://git.example/acme/web.git" }
const ssh = { type: "git", url: "ssh://git@git.example/acme/web.git", knownHosts: "git.example ssh-ed25519 AAAA" }
const key = (text: string) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${text}\n-----END OPENSSH PRIVATE KEY-----\n`

const refusedBodies: ReadonlyArray<readonly [what: string, body: unknown]> = [
  ["no JSON", `{"tenant": ${canary}`],
  ["half a JSON", '{"tenant":"acme",'],
  ["nothing", ""],
  ["bytes that are not UTF-8", Buffer.from([...Buffer.from('{"tenant":"acme","name":"w'), 0xff, 0x22, 0x7d])],
  ["null", null],
  ["an array", [app]],
  ["a text", `"${canary}"`],
  ["a thousand arrays", "[".repeat(100_000)],
  ["an unknown field", { ...app, extra: canary }],
  ["an unknown field in the health check", { ...app, healthCheck: { extra: canary } }],
  ["an own __proto__", '{"tenant":"acme","name":"web","__proto__":{"policy":"reject"}}'],
  ["a constructor", { ...app, constructor: { prototype: { admin: true } } }],
  ["no name", { tenant: "acme" }],
  ["no tenant", { name: "web" }],
  ["a number as name", { ...app, name: 7 }],
  ["an upper-case name", { ...app, name: canary }],
  ["an empty name", { ...app, name: "" }],
  ["a name of 64 letters", { ...app, name: "a".repeat(64) }],
  ["a name with a line break", { ...app, name: "web\n" }],
  ["E14 a name with a direction mark", { ...app, name: "we\u202Eb" }],
  ["a tenant with a path", { ...app, tenant: "../acme" }],
  ["an unknown policy", { ...app, policy: canary }],
  ["a health check path without slash", { ...app, healthCheck: { path: canary } }],
  ["a health check path with a line break", { ...app, healthCheck: { path: "/\r\nHost: x" } }],
  ["a health check that never ends", { ...app, healthCheck: { timeoutSeconds: 1e9 } }],
  ["a health check of half a second", { ...app, healthCheck: { timeoutSeconds: 0.5 } }]
]

const refusedSources: ReadonlyArray<unknown> = [
  ...["ext::sh -c x", "-oProxyCommand=x", "file:///etc", "/etc", "git://git.example/x", "http://git.example/x"].map(
    (url) => ({ type: "git", url })
  ),
  ...[`https://user:${canary}@git.example/x`, "https://git.example/x y", "https://git.example/x\n", ""].map((url) => ({
    type: "git",
    url
  })),
  { type: "git", url: ssh.url },
  { type: "git", url: "git@git.example:acme/web.git" },
  { type: "git" },
  { ...git, ref: "--upload-pack=x" },
  { ...git, ref: "a..b" },
  { ...git, commit: "HEAD" },
  { ...ssh, deployKey: canary },
  { ...ssh, deployKey: key(`${canary}!`) },
  { ...ssh, deployKey: 7 },
  { type: "archive", url: archive.url },
  { ...archive, sha256: "5f" },
  { ...archive, url: "file:///etc/passwd" },
  { ...archive, url: `https://user:${canary}@archives.example/x` },
  { type: "image", reference: "-v /:/host" },
  { type: canary },
  { ...git, type: "archive" },
  canary,
  null,
  []
]

const assertSilent = (answer: Answer): void => assert.notInclude(answer.text, canary)

describe("a body", () => {
  live("that is not what a route takes is 400 invalid_body, and nothing is made", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      for (const [what, body] of refusedBodies) {
        const answer = yield* call("POST", "/v1/apps", { body })
        assert.strictEqual(answer.status, 400, what)
        assertProblem(answer, 400, "invalid_body")
        assertSilent(answer)
      }
      assert.deepStrictEqual(each(yield* call("GET", "/v1/apps"), "id"), [])
    })
  )

  live("of a Deployment or a change is held to the same", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const id = yield* createApp(call)
      const bodies: ReadonlyArray<readonly [string, string, unknown]> = [
        ["POST", `/v1/apps/${id}/deployments`, { extra: canary }],
        ["POST", `/v1/apps/${id}/deployments`, "{"],
        ["POST", `/v1/apps/${id}/deployments`, []],
        ["POST", `/v1/apps/${id}/deployments`, { ref: "-x" }],
        ["POST", `/v1/apps/${id}/deployments`, { minEnvRevision: -1 }],
        ["POST", `/v1/apps/${id}/deployments`, { minEnvRevision: "1" }],
        ["POST", `/v1/apps/${id}/deployments`, { trigger: { kind: canary } }],
        ["POST", `/v1/apps/${id}/deployments`, { trigger: { kind: "webhook", deliveryId: "a b" } }],
        ["PATCH", `/v1/apps/${id}`, ""],
        ["PATCH", `/v1/apps/${id}`, { name: "new" }],
        ["PATCH", `/v1/apps/${id}`, { policy: null }]
      ]
      for (const [method, path, body] of bodies) {
        const answer = yield* call(method, path, { body })
        assertProblem(answer, 400, "invalid_body")
        assertSilent(answer)
      }
      assert.deepStrictEqual(each(yield* call("GET", `/v1/apps/${id}/deployments`), "id"), [])
    })
  )

  live("with a source that is not safe is 400 invalid_source wherever a source is taken", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const id = yield* createApp(call)
      const before = yield* call("GET", `/v1/apps/${id}`)
      for (const source of refusedSources) {
        const answers = [
          yield* call("POST", "/v1/apps", { body: { ...app, name: "bad", source } }),
          yield* call("PATCH", `/v1/apps/${id}`, { body: { source } }),
          yield* call("POST", `/v1/apps/${id}/deployments`, { body: { source } })
        ]
        for (const answer of answers) {
          assert.strictEqual(answer.fields["code"], "invalid_source", JSON.stringify(source))
          assertProblem(answer, 400, "invalid_source")
          assertSilent(answer)
        }
      }
      assert.deepStrictEqual((yield* call("GET", `/v1/apps/${id}`)).fields, before.fields)
      assert.lengthOf(each(yield* call("GET", "/v1/apps"), "id"), 1)
    })
  )

  live("of another type than JSON is 415 unsupported_media_type; a charset and no type are fine", () =>
    Effect.gen(function* () {
      const { call, baseUrl } = yield* started()
      const typed = (type: string, name: string) =>
        call("POST", "/v1/apps", { body: { ...app, name }, headers: { "content-type": type } })
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"]) {
        assertProblem(yield* typed(type, "no"), 415, "unsupported_media_type")
      }
      assert.strictEqual((yield* typed("application/json; charset=utf-8", "yes")).status, 201)
      const untyped = yield* Effect.callback<number | undefined>((resume) => {
        const headers = { authorization: `Bearer ${tokens.admin}` }
        request(`${baseUrl}/v1/apps`, { method: "POST", headers }, (response) => {
          response.resume().on("end", () => resume(Effect.succeed(response.statusCode)))
        }).end(JSON.stringify({ ...app, name: "untyped" }))
      })
      assert.strictEqual(untyped, 201)
    })
  )

  live("longer than 1 MiB is 413 payload_too_large, by its length or while it comes", () =>
    Effect.gen(function* () {
      const { call, baseUrl } = yield* started()
      const limit = 1_048_576
      const sized = (name: string, bytes: number) =>
        call("POST", "/v1/apps", { body: JSON.stringify({ ...app, name }).padEnd(bytes) })
      assert.strictEqual((yield* sized("fits", limit)).status, 201)
      assertProblem(yield* sized("over", limit + 1), 413, "payload_too_large")

      const chunked = yield* Effect.callback<readonly [number | undefined, string]>((resume) => {
        const headers = { authorization: `Bearer ${tokens.admin}`, "content-type": "application/json" }
        const outgoing = request(`${baseUrl}/v1/apps`, { method: "POST", headers }, (response) => {
          const chunks: Array<Buffer> = []
          response.on("data", (chunk: Buffer) => chunks.push(chunk))
          response.on("end", () => resume(Effect.succeed([response.statusCode, Buffer.concat(chunks).toString()])))
        })
        outgoing.on("error", () => outgoing.destroy())
        for (let sent = 0; sent <= limit; sent += 65_536) outgoing.write(" ".repeat(65_536))
        outgoing.end()
      })
      assert.strictEqual(chunked[0], 413)
      assert.include(chunked[1], '"code":"payload_too_large"')
    })
  )
})

describe("a query, a path or a header", () => {
  live("that is not what a route takes is 400 invalid_body", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const id = yield* createApp(call)
      const { fields } = yield* call("POST", `/v1/apps/${id}/deployments`)
      const logs = `/v1/deployments/${String(fields["id"])}/logs`
      const paths = [
        ...["limit=0", "limit=101", "limit=abc", "limit=1.5", "limit=-1", "limit=", "limit=1&limit=2"].flatMap(
          (query) => [`/v1/apps?${query}`, `/v1/apps/${id}/deployments?${query}`]
        ),
        ...["cursor=x", "cursor=-1", "cursor=", `cursor=${"9".repeat(19)}`, "cursor=%00"].flatMap((query) => [
          `/v1/apps?${query}`,
          `/v1/apps/${id}/deployments?${query}`
        ]),
        ...["after=-1", "after=x", "after=1.5", "after=1e400", "follow=yes", "follow="].map(
          (query) => `${logs}?${query}`
        ),
        `/v1/apps/${id}/env?reveal=1`
      ]
      for (const path of paths) {
        const answer = yield* call("GET", path)
        assert.strictEqual(answer.status, 400, path)
        assertProblem(answer, 400, "invalid_body")
      }
      const dry = yield* call("PATCH", `/v1/apps/${id}/env?dryRun=1`, { body: { env: { A: "1" } } })
      assertProblem(dry, 400, "invalid_body")
      assert.strictEqual((yield* call("GET", `/v1/apps/${id}/env`)).fields["revision"], 0)
    })
  )

  live("with an id that cannot be one is 404", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const ids = [
        "%00",
        "app_%00",
        "app_1%00",
        "x".repeat(4_000),
        "app_" + "a".repeat(65),
        "%E2%80%AE",
        "app_1%2F..",
        "'--",
        "APP_1"
      ]
      for (const id of ids) {
        const paths = [`/v1/apps/${id}`, `/v1/apps/${id}/env`, `/v1/deployments/${id}`, `/v1/tenants/${id}`]
        for (const path of paths) assertProblem(yield* call("GET", path), 404, "not_found")
      }
    })
  )
})
