// How an Env came to be, over the wire: who changed which names and when, and never a value.
import { assert, describe } from "@effect/vitest"
import { DateTime, Effect, Option } from "effect"
import { assertProblem, type Fields, live, textAt } from "./support/call.ts"
import { withEnv } from "./support/envs.ts"
import { tokens } from "./support/memoryServer.ts"

const pageOf = (text: string): { readonly items: ReadonlyArray<Fields>; readonly nextCursor: string | null } =>
  JSON.parse(text)

describe("GET env/history", () => {
  live(
    "X8 INV-5 of a new App is empty; then each revision is there once, newest first, with who, when and which names",
    () =>
      Effect.gen(function* () {
        const { call, patch, path, put } = yield* withEnv()
        const history = `${path}/history`
        assert.deepStrictEqual((yield* call("GET", history)).fields, { items: [], nextCursor: null })

        yield* patch({ B: "canary-1", A: "canary-2" })
        yield* patch({ A: "canary-3", B: null, C: "" }, { token: tokens.acme })
        yield* patch({ A: "canary-3" })
        yield* patch({ A: "canary-4" }, { query: "?dryRun=true" })
        yield* patch({ "not a key": "canary-5" })
        yield* put({ D: "canary-6" }, { ifMatch: '"2"', token: tokens.acme })

        const answer = yield* call("GET", history)
        assert.strictEqual(answer.status, 200)
        assert.notInclude(answer.text, "canary")
        const { items, nextCursor } = pageOf(answer.text)
        assert.isNull(nextCursor)
        assert.deepStrictEqual(
          items.map(({ at: _, ...item }) => item),
          [
            { revision: 3, actor: "ann", keysSet: ["D"], keysDeleted: ["A"], total: 1 },
            { revision: 2, actor: "ann", keysSet: ["A"], keysDeleted: ["B"], total: 1 },
            { revision: 1, actor: "ops", keysSet: ["A", "B"], keysDeleted: [], total: 2 }
          ]
        )
        const times = items.map((item) => textAt(item, "at"))
        for (const time of times) {
          assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
          assert.isTrue(Option.isSome(DateTime.make(time)))
        }
        assert.deepStrictEqual(times, times.toSorted().reverse())
      })
  )

  live("X8 comes in pages that follow each other without a gap, also while somebody changes the Env", () =>
    Effect.gen(function* () {
      const { call, patch, path } = yield* withEnv()
      for (let index = 1; index <= 25; index++) yield* patch({ [`KEY_${index}`]: "1" })
      const first = pageOf((yield* call("GET", `${path}/history`)).text)
      assert.lengthOf(first.items, 20)

      const seen: Array<unknown> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const page = pageOf((yield* call("GET", `${path}/history?limit=10${cursor}`)).text)
        assert.isAtMost(page.items.length, 10)
        seen.push(...page.items.map(({ revision }) => revision))
        yield* patch({ MEANWHILE: String(seen.length) })
        cursor = page.nextCursor === null ? null : `&cursor=${page.nextCursor}`
      }
      assert.deepStrictEqual(
        seen,
        Array.from({ length: 25 }, (_, index) => 25 - index)
      )
      assert.lengthOf(pageOf((yield* call("GET", `${path}/history?limit=100`)).text).items, 28)
    })
  )

  live("of a query that is none is 400 invalid_body", () =>
    Effect.gen(function* () {
      const { call, path } = yield* withEnv()
      for (const query of ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=-1", `cursor=${"9".repeat(19)}`]) {
        assertProblem(yield* call("GET", `${path}/history?${query}`), 400, "invalid_body")
      }
      assert.strictEqual((yield* call("GET", `${path}/history?cursor=${"9".repeat(18)}`)).status, 200)
    })
  )
})
