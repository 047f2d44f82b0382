// Reading an App's Env and changing keys of it over the wire. Replacing it, If-Match and dryRun are in envReplace.test.ts, what is
// answered when it cannot be changed in envErrors.test.ts.
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { assertProblem, type Fields, live } from "./support/call.ts"
import { assertKey, withEnv } from "./support/envs.ts"
import { tokens } from "./support/memoryServer.ts"

const limit = 65_536

describe("GET env", () => {
  live("is empty at revision 0, with its revision as ETag", () =>
    Effect.gen(function* () {
      const { read } = yield* withEnv()
      const answer = yield* read()
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers.get("etag"), '"0"')
      assert.deepStrictEqual(answer.fields, { revision: 0, deployedRevision: null, pending: false, env: {} })
    })
  )

  live("B9 masks every value unless they are asked for", () =>
    Effect.gen(function* () {
      const { patch, read, revealed } = yield* withEnv()
      yield* patch({ A: "one", B: "two" })
      for (const query of ["", "?reveal=false"]) {
        assert.deepStrictEqual((yield* read(query)).fields["env"], { A: "***", B: "***" })
      }
      assert.deepStrictEqual(yield* revealed, { A: "one", B: "two" })
    })
  )
})

describe("what is deployed", () => {
  live("E11 is told with the Env: pending while what serves has another revision, not while nothing serves", () =>
    Effect.gen(function* () {
      const { call, id, patch, read } = yield* withEnv({ work: "carried out" })
      yield* patch({ A: "1" })
      const told = Effect.map(read(), ({ fields }) => [
        fields["revision"],
        fields["deployedRevision"],
        fields["pending"]
      ])
      assert.deepStrictEqual(yield* told, [1, null, false])
      const { fields } = yield* call("POST", `/v1/apps/${id}/deployments`)
      yield* call("GET", `/v1/deployments/${String(fields["id"])}/logs?follow=true`)
      assert.deepStrictEqual(yield* told, [1, 1, false])
      yield* patch({ A: "2" })
      assert.deepStrictEqual(yield* told, [2, 1, true])
    })
  )
})

describe("PATCH env", () => {
  live("E4 answers the new revision, the counts and every value masked, the ETag too", () =>
    Effect.gen(function* () {
      const { patch } = yield* withEnv()
      yield* patch({ A: "1", B: "2", C: "3" })
      const answer = yield* patch({ A: "1", B: "new", C: null, D: "", NEW: "4" })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers.get("etag"), '"2"')
      const env = { A: "***", B: "***", NEW: "***" }
      assert.deepStrictEqual(answer.fields, { revision: 2, keysSet: 3, keysDeleted: 1, total: 3, env })
    })
  )

  live("E3 deletes with null and with the empty text; what is absent is no change, and no change is no revision", () =>
    Effect.gen(function* () {
      const { patch, read } = yield* withEnv()
      yield* patch({ A: "1", B: "2" })
      const gone = yield* patch({ A: null, B: "" })
      assert.deepStrictEqual(gone.fields, { revision: 2, keysSet: 0, keysDeleted: 2, total: 0, env: {} })
      for (const nothing of [{}, { A: null }, { B: "" }]) {
        const answer = yield* patch(nothing)
        assert.deepStrictEqual(answer.fields, { revision: 2, keysSet: 0, keysDeleted: 0, total: 0, env: {} })
        assert.strictEqual(answer.headers.get("etag"), '"2"')
      }
      yield* patch({ A: "1" })
      assert.strictEqual((yield* patch({ A: "1" })).fields["revision"], 3)
      assert.strictEqual((yield* read()).fields["revision"], 3)
    })
  )

  live("E1 keeps every one of 20 changes that come at once", () =>
    Effect.gen(function* () {
      const { patch, revealed } = yield* withEnv()
      const keys = Array.from({ length: 20 }, (_, index) => `KEY_${index}`)
      const answers = yield* Effect.forEach(keys, (key) => patch({ [key]: key }), { concurrency: "unbounded" })
      const revisions = answers.map(({ fields }) => fields["revision"])
      assert.sameMembers(
        revisions,
        keys.map((_, index) => index + 1)
      )
      assert.deepStrictEqual(yield* revealed, Object.fromEntries(keys.toSorted().map((key) => [key, key])))
    })
  )

  live("B10 refuses keys that are no variables or belong to Lockkeeper, whatever the value", () =>
    Effect.gen(function* () {
      const { patch, read } = yield* withEnv()
      const keys = [
        "a",
        "1A",
        "A-B",
        "A B",
        "",
        "É",
        "PORT",
        "LOCKKEEPER_",
        "LOCKKEEPER_ITEM",
        "constructor",
        "A\u202EB",
        "A\u2066",
        "\u200BA",
        "\uFEFFA",
        "A\u0007",
        "A\0",
        "A\n",
        "\uD800"
      ]
      for (const key of keys) {
        for (const value of ["x", "", null, 7, {}]) assertKey(yield* patch({ [key]: value }), "invalid_env_key", key)
      }
      for (const accepted of ["_", "__PROTO__", "PORT_", "LOCKKEEPER", "A1_"]) {
        assert.strictEqual((yield* patch({ [accepted]: "1" })).status, 200, accepted)
      }
      assert.strictEqual((yield* read()).fields["revision"], 5)
    })
  )

  live("INV-5 B10 with one key or value that is none changes nothing of what else it names", () =>
    Effect.gen(function* () {
      const { patch, read, revealed } = yield* withEnv()
      yield* patch({ A: "1", B: "2" })
      for (const bad of [{ PORT: "1" }, { LOCKKEEPER_X: null }, { C: "***" }, { a: "" }]) {
        for (const env of [
          { A: "new", B: null, ...bad },
          { ...bad, A: "new", B: null }
        ]) {
          assert.strictEqual((yield* patch(env)).status, 400)
        }
      }
      assert.deepStrictEqual(yield* revealed, { A: "1", B: "2" })
      assert.strictEqual((yield* read()).fields["revision"], 1)
    })
  )

  live("B9 takes back no answer of GET that was masked", () =>
    Effect.gen(function* () {
      const { patch, read, revealed } = yield* withEnv()
      yield* patch({ A: "1", B: "2" })
      assertKey(yield* patch((yield* read()).fields["env"]), "invalid_env_value", "A")
      assert.deepStrictEqual(yield* revealed, { A: "1", B: "2" })
    })
  )

  live("that names a key twice means what the last one says, as everywhere in JSON", () =>
    Effect.gen(function* () {
      const { call, patch, path, revealed } = yield* withEnv()
      yield* patch({ B: "1" })
      const body = '{"env":{"GONE":"1"},"env":{"A":"1","B":"2","A":"2","B":null,"A":"3"}}'
      const answer = yield* call("PATCH", path, { body })
      assert.deepStrictEqual([answer.fields["keysSet"], answer.fields["keysDeleted"]], [1, 1])
      assert.deepStrictEqual(yield* revealed, { A: "3" })
      assertKey(yield* call("PATCH", path, { body: '{"env":{"A":"1","A":"***"}}' }), "invalid_env_value", "A")
    })
  )

  live("refuses the key __proto__ and touches no prototype", () =>
    Effect.gen(function* () {
      const { call, path } = yield* withEnv()
      for (const value of ['"x"', '{"A":"x"}', "null"]) {
        assertKey(
          yield* call("PATCH", path, { body: `{"env":{"__proto__":${value}}}` }),
          "invalid_env_key",
          "__proto__"
        )
      }
      const outside = yield* call("PATCH", path, { body: '{"__proto__":{"env":{"A":"x"}}}' })
      assert.strictEqual(outside.status, 400)
      assert.notProperty({}, "A")
    })
  )

  live("B9 refuses the mask and whatever is no text, names the key, and never shows the value", () =>
    Effect.gen(function* () {
      const { patch, read } = yield* withEnv()
      const values = ["***", "a\0CANARY", "CANARY\uD800", 7, true, ["CANARY"], { CANARY: "CANARY" }]
      for (const value of values) {
        const answer = yield* patch({ B: "fine", A: value })
        assertKey(answer, "invalid_env_value", "A")
        assert.notInclude(answer.text, "CANARY")
      }
      assert.strictEqual((yield* read()).fields["revision"], 0)
    })
  )

  live("keeps every text as it is", () =>
    Effect.gen(function* () {
      const { patch, revealed } = yield* withEnv()
      const env = { A: " a\r\n\t\"'\\$`", B: "\u{1F511}\u202E\uFEFF", C: "****", D: "null", E: "\u0001" }
      yield* patch(env)
      assert.deepStrictEqual(yield* revealed, env)
    })
  )

  live("in bytes that are not UTF-8 is refused, not stored with other letters", () =>
    Effect.gen(function* () {
      const { call, path, read } = yield* withEnv()
      const body = Buffer.concat([Buffer.from('{"env":{"A":"'), Buffer.from([0xff, 0xc0]), Buffer.from('"}}')])
      assertProblem(yield* call("PATCH", path, { body }), 400, "invalid_body")
      assert.strictEqual((yield* read()).fields["revision"], 0)
    })
  )

  live("without env is 400 missing_env", () =>
    Effect.gen(function* () {
      const { call, path } = yield* withEnv()
      const bodies: ReadonlyArray<Fields> = [{}, { env: null }, { env: [] }, { env: "A=1" }, { env: 7 }]
      for (const body of bodies) assertProblem(yield* call("PATCH", path, { body }), 400, "missing_env")
      assertProblem(yield* call("PATCH", path, { body: { env: {}, extra: 1 } }), 400, "invalid_body")
      assertProblem(yield* call("PATCH", path, { body: "" }), 400, "invalid_body")
    })
  )

  live("E2 larger than 65,536 bytes is 413 env_too_large with limit and actual, and writes nothing", () =>
    Effect.gen(function* () {
      const { patch, read } = yield* withEnv()
      const overhead = '{"A":""}'.length
      const ofBytes = (bytes: number) => `é${"x".repeat(bytes - overhead - 2)}`
      assert.strictEqual((yield* patch({ A: ofBytes(limit) })).status, 200)
      for (const [env, actual] of [
        [{ A: ofBytes(limit + 1) }, limit + 1],
        [{ B: "1" }, limit + ',"B":"1"'.length]
      ] as const) {
        const answer = yield* patch(env)
        assertProblem(answer, 413, "env_too_large")
        assert.strictEqual(answer.fields["limit"], limit)
        assert.strictEqual(answer.fields["actual"], actual)
        assert.isBelow(answer.text.length, 1_000)
      }
      assert.strictEqual((yield* read()).fields["revision"], 1)
      assert.strictEqual((yield* patch({ A: null, B: "1" })).status, 200)
    })
  )
})

describe("who", () => {
  live("of the Tenant's tokens may read and change it, and nobody else", () =>
    Effect.gen(function* () {
      const { call, path, patch } = yield* withEnv()
      assert.strictEqual((yield* patch({ A: "1" }, { token: tokens.acme })).status, 200)
      assert.strictEqual((yield* call("GET", `${path}?reveal=true`, { token: tokens.acme })).status, 200)
      assertProblem(yield* call("GET", `${path}?reveal=true`, { token: tokens.other }), 404, "not_found")
      assertProblem(yield* patch({ a: 1 }, { token: tokens.other }), 400, "invalid_env_key")
      assertProblem(yield* patch({ A: "2" }, { token: tokens.other }), 404, "not_found")
    })
  )
})
