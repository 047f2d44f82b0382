// Beginning Deployments, walking lists, and the key that opens a repository and is never shown.
import { AppId } from "@lockkeeper/core/domain/App"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { deployed } from "@lockkeeper/core/testing/Fixture"
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { archive, assertProblem, createApp, each, type Fields, live, started, textAt } from "./support/call.ts"

const canary = "Q0FOQVJZ"
const deployKey = `-----BEGIN OPENSSH PRIVATE KEY-----\n${canary}\n-----END OPENSSH PRIVATE KEY-----\n`
const keyed = {
  type: "git",
  url: "ssh://git@git.example/acme/web.git",
  knownHosts: "git.example ssh-ed25519 AAAA",
  deployKey
}

/** A server with one App, and the path of its Deployments. */
const withApp = Effect.fnUntraced(function* (fields: Fields = {}) {
  const server = yield* started()
  const app = yield* createApp(server.call, fields)
  const path = `/v1/apps/${app}/deployments`
  const begin = (body?: Fields) => server.call("POST", path, body === undefined ? {} : { body })
  return { ...server, app, path, begin }
})

/** Every page of a list, until there is none. */
const walk = Effect.fnUntraced(function* <E>(
  page: (query: string) => Effect.Effect<{ readonly ids: ReadonlyArray<string>; readonly next: unknown }, E>
) {
  const pages = [yield* page("?limit=2")]
  for (let next = pages[0]?.next; next !== null; next = pages.at(-1)?.next) {
    pages.push(yield* page(`?limit=2&cursor=${String(next)}`))
  }
  return pages.map(({ ids }) => ids)
})

describe("a Deployment", () => {
  live("begins with nothing, with {}, or with what it is asked for", () =>
    Effect.gen(function* () {
      const source = { type: "git", url: "https://git.example/acme/web.git", ref: "main" }
      for (const body of [undefined, {}, { source, ref: "v1.2/x", policy: "reject", trigger: { kind: "webhook" } }]) {
        const { begin } = yield* withApp()
        const answer = yield* begin(body)
        assert.strictEqual(answer.status, 202)
        const asked = body !== undefined && "source" in body
        assert.deepStrictEqual(answer.fields["source"], asked ? { ...source, ref: "v1.2/x" } : archive)
        assert.deepStrictEqual(answer.fields["trigger"], { kind: asked ? "webhook" : "manual" })
      }
    })
  )

  live("U9 of a delivery seen before is the same one, 200 and without Location, whatever else is asked", () =>
    Effect.gen(function* () {
      const { begin, call, path } = yield* withApp()
      const trigger = { kind: "webhook", deliveryId: "delivery-1" }
      const first = yield* begin({ trigger })
      const again = yield* begin({ trigger })
      const other = yield* begin({ trigger, minEnvRevision: 99 })
      assert.strictEqual(first.status, 202)
      assert.deepStrictEqual(first.fields["trigger"], trigger)
      for (const answer of [again, other]) {
        assert.strictEqual(answer.status, 200)
        assert.isNull(answer.headers.get("location"))
        assert.deepStrictEqual(answer.fields, first.fields)
      }
      assert.lengthOf(each(yield* call("GET", path), "id"), 1)
    })
  )

  live("U9 of one delivery is one, when twenty come at once", () =>
    Effect.gen(function* () {
      const { begin } = yield* withApp()
      const trigger = { kind: "webhook", deliveryId: "delivery-1" }
      const answers = yield* Effect.forEach(Array.from({ length: 20 }), () => begin({ trigger }), {
        concurrency: "unbounded"
      })
      assert.lengthOf(new Set(answers.map(({ fields }) => fields["id"])), 1)
      assert.lengthOf(
        answers.filter(({ status }) => status === 202),
        1
      )
    })
  )

  live("U8 beside an active one is 409 deployment_in_progress, which names it", () =>
    Effect.gen(function* () {
      const { begin } = yield* withApp()
      const active = yield* begin()
      const refused = yield* begin()
      assertProblem(refused, 409, "deployment_in_progress")
      assert.strictEqual(refused.fields["activeDeployment"], active.fields["id"])
    })
  )

  live("without a source is 409 no_source, unless it brings one", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const made = yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "empty" } })
      const path = `/v1/apps/${textAt(made.fields, "id")}/deployments`
      assertProblem(yield* call("POST", path), 409, "no_source")
      assert.strictEqual((yield* call("POST", path, { body: { source: archive } })).status, 202)
    })
  )

  live("E11 that asks for a newer Env than there is is 412 revision_mismatch with actual", () =>
    Effect.gen(function* () {
      const { begin, call, app } = yield* withApp()
      yield* call("PATCH", `/v1/apps/${app}/env`, { body: { env: { A: "1" } } })
      const refused = yield* begin({ minEnvRevision: 2 })
      assertProblem(refused, 412, "revision_mismatch")
      assert.strictEqual(refused.fields["actual"], 1)
      const begun = yield* begin({ minEnvRevision: 1 })
      assert.strictEqual(begun.fields["envRevision"], 1)
    })
  )

  live("says how it ended, and gives the App its Release", () =>
    Effect.gen(function* () {
      const { call } = yield* started({ work: "carried out" })
      const app = yield* createApp(call)
      const begun = yield* call("POST", `/v1/apps/${app}/deployments`)
      yield* call("GET", `/v1/deployments/${String(begun.fields["id"])}/logs?follow=true`)
      const ended = yield* call("GET", `/v1/deployments/${String(begun.fields["id"])}`)
      assert.strictEqual(ended.fields["status"], "healthy")
      assert.isNull(ended.fields["queuePosition"])
      assert.match(textAt(ended.fields, "finishedAt"), /Z$/)
      const shown = yield* call("GET", `/v1/apps/${app}`)
      assert.strictEqual(shown.fields["currentRelease"], ended.fields["release"])
      assert.isNull(shown.fields["activeDeployment"])
    })
  )
})

describe("a list", () => {
  live("X13 of Apps is newest first, and its cursor meets each once, also when more are made meanwhile", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const made: Array<string> = []
      for (let index = 0; index < 5; index++) made.push(yield* createApp(call, { name: `web-${index}` }))
      let added = 0
      const pages = yield* walk((query) =>
        Effect.gen(function* () {
          const answer = yield* call("GET", `/v1/apps${query}`)
          yield* createApp(call, { name: `late-${added++}` })
          return { ids: each(answer, "id"), next: answer.fields["nextCursor"] }
        })
      )
      assert.deepStrictEqual(
        pages.map(({ length }) => length),
        [2, 2, 1]
      )
      assert.deepStrictEqual(pages.flat(), made.toReversed())
      assert.lengthOf(each(yield* call("GET", "/v1/apps?limit=100"), "id"), 8)
    })
  )

  live("X13 of Deployments is the same, of this App only", () =>
    Effect.gen(function* () {
      const { call, app, path, ports } = yield* withApp()
      const other = yield* createApp(call, { name: "other" })
      const complete = (id: string) =>
        Effect.flatMap(AppStore, (store) => store.get(AppId.make(id))).pipe(
          Effect.flatMap(deployed),
          Effect.map(({ deployment }) => deployment.id),
          Effect.provideContext(ports)
        )
      const made: Array<string> = []
      for (let index = 0; index < 5; index++) {
        made.push(yield* complete(app))
        yield* complete(other)
      }
      const pages = yield* walk((query) =>
        Effect.gen(function* () {
          const answer = yield* call("GET", `${path}${query}`)
          yield* complete(app)
          return { ids: each(answer, "id"), next: answer.fields["nextCursor"] }
        })
      )
      assert.deepStrictEqual(pages.flat(), made.toReversed())
    })
  )
})

describe("a deploy key", () => {
  live("INV-11 is taken and in no answer, list, source, error or Location", () =>
    Effect.gen(function* () {
      const { call, path, app, begin } = yield* withApp({ source: keyed })
      const { deployKey: _, ...open } = keyed
      const begun = yield* begin({ source: keyed })
      const answers = [
        yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "second", source: keyed } }),
        yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "second", source: keyed } }),
        yield* call("PATCH", `/v1/apps/${app}`, { body: { source: keyed } }),
        yield* call("GET", `/v1/apps/${app}`),
        yield* call("GET", "/v1/apps"),
        begun,
        yield* begin({ source: keyed }),
        yield* call("GET", path),
        yield* call("GET", `/v1/deployments/${String(begun.fields["id"])}`),
        yield* call("GET", `/v1/deployments/${String(begun.fields["id"])}/logs`)
      ]
      for (const { text, headers } of answers) {
        assert.notMatch(text + JSON.stringify([...headers]), /Q0FOQVJZ|PRIVATE KEY|deployKey/)
      }
      assert.deepStrictEqual(answers[3]?.fields["source"], open)
      assert.deepStrictEqual(begun.fields["source"], open)
    })
  )
})
