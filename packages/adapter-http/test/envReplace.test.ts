// Replacing an Env as a whole, the Revision that a change expects, and what a change would come to.
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { assertProblem, type Fields, live } from "./support/call.ts"
import { assertKey, withEnv } from "./support/envs.ts"

const limit = 65_536

describe("PUT env", () => {
  live("E12 makes an Env hold what is sent and nothing else, and answers as PATCH does", () =>
    Effect.gen(function* () {
      const { patch, put, revealed } = yield* withEnv()
      yield* patch({ A: "1", B: "2", C: "3", D: "4" })
      const answer = yield* put({ A: "1", B: "new", D: "", E: "5", F: "" }, { ifMatch: '"1"' })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers.get("etag"), '"2"')
      const env = { A: "***", B: "***", E: "***" }
      assert.deepStrictEqual(answer.fields, { revision: 2, keysSet: 3, keysDeleted: 2, total: 3, env })
      assert.deepStrictEqual(yield* revealed, { A: "1", B: "new", E: "5" })

      const emptied = yield* put({}, { ifMatch: '"2"' })
      assert.deepStrictEqual(emptied.fields, { revision: 3, keysSet: 0, keysDeleted: 3, total: 0, env: {} })
    })
  )

  live("E3 of what is there already is no revision, whatever is said to be absent", () =>
    Effect.gen(function* () {
      const { patch, put, revision } = yield* withEnv()
      yield* patch({ A: "1", B: "2" })
      for (const same of [
        { A: "1", B: "2" },
        { B: "2", A: "1", C: "" }
      ]) {
        const answer = yield* put(same, { ifMatch: '"1"' })
        assert.deepStrictEqual([answer.status, answer.headers.get("etag")], [200, '"1"'])
        assert.deepStrictEqual([answer.fields["keysSet"], answer.fields["keysDeleted"]], [2, 0])
      }
      assert.strictEqual(yield* revision, 1)
    })
  )

  live("E12 without the revision that is replaced is 428 if_match_required, and writes nothing", () =>
    Effect.gen(function* () {
      const { patch, put, revealed, revision } = yield* withEnv()
      yield* patch({ A: "1" })
      for (const options of [
        {},
        { ifMatch: "*" },
        { query: "?dryRun=true" },
        { headers: { "if-none-match": '"0"' } }
      ]) {
        assertProblem(yield* put({ B: "2" }, options), 428, "if_match_required")
      }
      assert.deepStrictEqual([yield* revision, yield* revealed], [1, { A: "1" }])
    })
  )

  live("E12 B15 of two with one revision, one is written and the other is told 412 with the revision that is", () =>
    Effect.gen(function* () {
      const { patch, put, revealed } = yield* withEnv()
      yield* patch({ SHARED: "0" })
      const envs = [
        { SHARED: "0", FIRST: "1" },
        { SHARED: "0", SECOND: "2" }
      ]
      const answers = yield* Effect.forEach(envs, (env) => put(env, { ifMatch: '"1"' }), { concurrency: "unbounded" })
      assert.sameMembers(
        answers.map(({ status }) => status),
        [200, 412]
      )
      for (const [index, answer] of answers.entries()) {
        if (answer.status === 200) assert.deepStrictEqual(yield* revealed, envs[index])
        else {
          assertProblem(answer, 412, "revision_mismatch")
          assert.strictEqual(answer.fields["actual"], 2)
        }
      }
    })
  )

  live("B15 and a PATCH with one revision: never both, and no key of the one that was accepted is lost", () =>
    Effect.gen(function* () {
      const { patch, put, revealed } = yield* withEnv()
      for (let round = 0; round < 10; round++) {
        const ifMatch = `"${round}"`
        const [replaced, merged] = yield* Effect.all(
          [put({ PUT: String(round) }, { ifMatch }), patch({ PATCH: String(round) }, { ifMatch })],
          { concurrency: "unbounded" }
        )
        assert.sameMembers([replaced.status, merged.status], [200, 412])
        const env = yield* revealed
        if (replaced.status === 200) assert.deepStrictEqual(env, { PUT: String(round) })
        else assert.deepInclude(env, { PATCH: String(round) })
      }
    })
  )

  live("B9 B10 INV-5 with one key or value that is none is 400 with the key, and writes nothing", () =>
    Effect.gen(function* () {
      const { call, path, patch, put, read, revealed } = yield* withEnv()
      yield* patch({ A: "1" })
      const ifMatch = '"1"'
      for (const value of [null, "***", "a\0CANARY", "\uDC00CANARY", 7, ["CANARY"], { CANARY: "1" }]) {
        const answer = yield* put({ FINE: "1", A: value }, { ifMatch })
        assertKey(answer, "invalid_env_value", "A")
        assert.notInclude(answer.text, "CANARY")
      }
      for (const key of ["PORT", "LOCKKEEPER_ITEM", "constructor", "a", "", "A\u202E", "A\n", "\uD800"]) {
        for (const value of ["x", "", null]) {
          assertKey(yield* put({ FINE: "1", [key]: value }, { ifMatch }), "invalid_env_key", key)
        }
      }
      const proto = yield* call("PUT", path, { body: '{"env":{"__proto__":"x"}}', headers: { "if-match": ifMatch } })
      assertKey(proto, "invalid_env_key", "__proto__")
      const masked = (yield* read()).fields["env"]
      assertKey(yield* put(masked, { ifMatch }), "invalid_env_value", "A")
      assert.deepStrictEqual(yield* revealed, { A: "1" })
    })
  )

  live("takes a body as PATCH does: JSON in UTF-8 with env and nothing else", () =>
    Effect.gen(function* () {
      const { call, path, revision } = yield* withEnv()
      const headers = { "if-match": '"0"' }
      const bodies: ReadonlyArray<Fields> = [{}, { env: null }, { env: [] }, { env: "A=1" }]
      for (const body of bodies) assertProblem(yield* call("PUT", path, { body, headers }), 400, "missing_env")
      assertProblem(yield* call("PUT", path, { body: { env: {}, extra: 1 }, headers }), 400, "invalid_body")
      assertProblem(yield* call("PUT", path, { body: "", headers }), 400, "invalid_body")
      const notUtf8 = Buffer.concat([Buffer.from('{"env":{"A":"'), Buffer.from([0xff]), Buffer.from('"}}')])
      assertProblem(yield* call("PUT", path, { body: notUtf8, headers }), 400, "invalid_body")
      const typed = { ...headers, "content-type": "text/plain" }
      assertProblem(yield* call("PUT", path, { body: "A=1", headers: typed }), 415, "unsupported_media_type")
      const long = `{"env":{"A":"${"x".repeat(1_048_576)}"}}`
      assertProblem(yield* call("PUT", path, { body: long, headers }), 413, "payload_too_large")
      assert.strictEqual(yield* revision, 0)
    })
  )

  live("E2 may be as large as an Env may be, whatever it replaces, and no larger", () =>
    Effect.gen(function* () {
      const { put, revision } = yield* withEnv()
      const filling = (key: string, bytes: number) => ({ [key]: "x".repeat(bytes - `{"${key}":""}`.length) })
      assert.strictEqual((yield* put(filling("A", limit), { ifMatch: '"0"' })).status, 200)
      assert.strictEqual((yield* put(filling("B", limit), { ifMatch: '"1"' })).status, 200)
      const over = yield* put(filling("C", limit + 1), { ifMatch: '"2"' })
      assertProblem(over, 413, "env_too_large")
      assert.deepStrictEqual([over.fields["limit"], over.fields["actual"]], [limit, limit + 1])
      assert.strictEqual(yield* revision, 2)
    })
  )
})

describe("If-Match", () => {
  live("E12 X8 that is not the present revision is 412 revision_mismatch with actual, and writes nothing", () =>
    Effect.gen(function* () {
      const { patch, put, read } = yield* withEnv()
      yield* patch({ A: "1" })
      const others = [
        '"0"',
        '"2"',
        "0",
        '"999999999999999"',
        '"9999999999999999"',
        '"x"',
        '""',
        'W/"1"',
        '"01"',
        '"-1"'
      ]
      for (const ifMatch of others) {
        for (const answer of [yield* patch({ A: "2" }, { ifMatch }), yield* put({ A: "2" }, { ifMatch })]) {
          assertProblem(answer, 412, "revision_mismatch")
          assert.strictEqual(answer.fields["actual"], 1, ifMatch)
        }
      }
      assert.strictEqual((yield* read()).headers.get("etag"), '"1"')
      for (const [index, ifMatch] of ['"1"', "2", "*"].entries()) {
        assert.strictEqual((yield* patch({ A: `new ${index}` }, { ifMatch })).status, 200, ifMatch)
      }
      assert.strictEqual((yield* put({ B: "1" }, { ifMatch: '"4"' })).status, 200)
    })
  )

  live("that is not one ETag is 400 invalid_body", () =>
    Effect.gen(function* () {
      const { patch, put, revision } = yield* withEnv()
      for (const ifMatch of ["", "x", '"0', '0"', 'w/"0"', '"0", "1"', "-1", "0.0", "0x0", "1e3", '*, "0"']) {
        assertProblem(yield* patch({ A: "1" }, { ifMatch }), 400, "invalid_body")
        assertProblem(yield* put({ A: "1" }, { ifMatch }), 400, "invalid_body")
      }
      assert.strictEqual(yield* revision, 0)
    })
  )
})

describe("dryRun", () => {
  live("X8 of a PATCH answers what it would come to at the present revision, and writes nothing", () =>
    Effect.gen(function* () {
      const { patch, read } = yield* withEnv()
      yield* patch({ A: "1", B: "2" })
      const query = "?dryRun=true"
      const answer = yield* patch({ A: null, C: "3" }, { query })
      assert.strictEqual(answer.headers.get("etag"), '"1"')
      const env = { B: "***", C: "***" }
      assert.deepStrictEqual(answer.fields, { revision: 1, keysSet: 1, keysDeleted: 1, total: 2, env })

      assertProblem(yield* patch({ A: "x".repeat(limit) }, { query }), 413, "env_too_large")
      assertProblem(yield* patch({ a: "1" }, { query }), 400, "invalid_env_key")
      assertProblem(yield* patch({ A: "2" }, { query, ifMatch: '"0"' }), 412, "revision_mismatch")
      const after = { revision: 1, deployedRevision: null, pending: false, env: { A: "***", B: "***" } }
      assert.deepStrictEqual((yield* read()).fields, after)
      assert.strictEqual((yield* patch({ C: "3" }, { query: "?dryRun=false" })).fields["revision"], 2)
    })
  )

  live("X8 of a PUT answers what it would come to, then the same change does, and is in the history once", () =>
    Effect.gen(function* () {
      const { call, patch, path, put } = yield* withEnv()
      yield* patch({ A: "1", B: "2" })
      const env = { B: "two", C: "3" }
      const seen = yield* put(env, { ifMatch: '"1"', query: "?dryRun=true" })
      const done = yield* put(env, { ifMatch: '"1"' })
      assert.strictEqual(seen.headers.get("etag"), '"1"')
      assert.deepStrictEqual({ ...seen.fields, revision: 2 }, done.fields)
      assertProblem(yield* put(env, { ifMatch: '"1"', query: "?dryRun=true" }), 412, "revision_mismatch")
      const long = { A: "x".repeat(limit) }
      assertProblem(yield* put(long, { ifMatch: '"2"', query: "?dryRun=true" }), 413, "env_too_large")
      const { items }: { items: ReadonlyArray<Fields> } = JSON.parse((yield* call("GET", `${path}/history`)).text)
      assert.deepStrictEqual(
        items.map(({ keysDeleted, keysSet, revision }) => [revision, keysSet, keysDeleted]),
        [
          [2, ["B", "C"], ["A"]],
          [1, ["A", "B"], []]
        ]
      )
    })
  )
})
