// Deploying a Release again, going back to one, starting a stopped App and cancelling, as the wire shows them.
import { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Schedule } from "effect"
import { archive, assertProblem, createApp, each, type Fields, live, started, textAt } from "./support/call.ts"

/** A server that carries out Deployments, with one App. */
const withApp = Effect.fnUntraced(function* (work: "carried out" | "left alone" = "carried out") {
  const server = yield* started({ work })
  const { call } = server
  const state = Context.get(server.ports, MemoryState)
  state.trees.set(archive.url, "a tree")
  const id = yield* createApp(call)
  const path = `/v1/apps/${id}`
  const statusOf = (deployment: string) =>
    Effect.map(call("GET", `/v1/deployments/${deployment}`), ({ fields }) => textAt(fields, "status"))
  const reaches = (deployment: string, status: string) =>
    Effect.repeat(statusOf(deployment), {
      until: (seen) => seen === status,
      schedule: Schedule.spaced("20 millis"),
      times: 400
    })
  const deployed = Effect.fnUntraced(function* (route: string, body: Fields = {}) {
    const answer = yield* call("POST", `${path}${route}`, { body })
    assert.strictEqual(answer.status, 202, answer.text)
    const deployment = textAt(answer.fields, "id")
    assert.strictEqual(answer.headers.get("location"), `/v1/deployments/${deployment}`)
    assert.strictEqual(yield* reaches(deployment, "healthy"), "healthy")
    return (yield* call("GET", `/v1/deployments/${deployment}`)).fields
  })
  return { ...server, state, path, app: AppId.make(id), statusOf, reaches, deployed }
})

const setEnv = (value: string) => ({ body: { env: { KEY: value } } })

describe("a Release", () => {
  live("X3 is deployed again with the Env as it is, and gone back to with the Env that it had", () =>
    Effect.gen(function* () {
      const { call, deployed, path } = yield* withApp()
      yield* call("PATCH", `${path}/env`, setEnv("one"))
      const first = yield* deployed("/deployments")
      yield* call("PATCH", `${path}/env`, setEnv("two"))
      const again = yield* deployed("/redeploy")
      assert.deepStrictEqual(
        [again["image"], again["envRevision"], again["trigger"]],
        [first["image"], 2, { kind: "redeploy" }]
      )
      const back = yield* deployed("/rollback", { release: first["release"] ?? null })
      assert.deepStrictEqual(
        [back["image"], back["envRevision"], back["trigger"]],
        [first["image"], 1, { kind: "rollback" }]
      )
      const list = yield* call("GET", `${path}/releases`)
      assert.deepStrictEqual<ReadonlyArray<unknown>>(each(list, "id"), [
        back["release"],
        again["release"],
        first["release"]
      ])
      assert.match(list.text, /"number":3,.*"current":true.*"number":2,.*"current":false.*"number":1,.*"current":false/)
      const { fields } = yield* call("GET", path)
      assert.deepStrictEqual(
        [fields["currentRelease"], fields["envPending"], fields["activeDeployment"]],
        [back["release"], true, null]
      )
    })
  )

  live("R4 is not deployed again where there is none, where the App is not live, or while one is in progress", () =>
    Effect.gen(function* () {
      const { call, deployed, path } = yield* withApp()
      assertProblem(yield* call("POST", `${path}/redeploy`), 409, "no_release")
      const { release } = yield* deployed("/deployments")
      for (const id of ["rel_none", "nothing like it"]) {
        assertProblem(yield* call("POST", `${path}/rollback`, { body: { release: id } }), 404, "not_found")
      }
      yield* call("POST", `${path}/stop`)
      assertProblem(yield* call("POST", `${path}/redeploy`), 409, "not_redeployable")
      const refused = yield* call("POST", `${path}/rollback`, { body: { release: release ?? null } })
      assertProblem(refused, 409, "not_redeployable")
      assert.strictEqual(refused.fields["appStatus"], "stopped")
    })
  )

  live("X3 whose image is gone is not gone back to, and nothing begins", () =>
    Effect.gen(function* () {
      const { call, deployed, path, state } = yield* withApp()
      const { release } = yield* deployed("/deployments")
      state.images.clear()
      const refused = yield* call("POST", `${path}/rollback`, { body: { release: release ?? null } })
      assertProblem(refused, 409, "image_gone")
      assert.lengthOf(each(yield* call("GET", `${path}/deployments`), "id"), 1)
    })
  )

  live("R4 of a stopped App is started, and a live App is answered as it is", () =>
    Effect.gen(function* () {
      const { call, path } = yield* withApp()
      const live = yield* call("POST", `${path}/start`)
      assert.deepStrictEqual([live.status, live.fields["status"]], [202, "live"])
      yield* call("POST", `${path}/stop`)
      assertProblem(yield* call("POST", `${path}/start`), 409, "no_release")
      assert.strictEqual((yield* call("GET", path)).fields["status"], "stopped")

      const other = yield* withApp()
      const first = yield* other.deployed("/deployments")
      yield* other.call("POST", `${other.path}/stop`)
      const started = yield* other.call("POST", `${other.path}/start`)
      assert.deepStrictEqual([started.status, started.fields["status"]], [202, "live"])
      const [newest = ""] = each(yield* other.call("GET", `${other.path}/deployments`), "id")
      assert.strictEqual(yield* other.reaches(newest, "healthy"), "healthy")
      const { fields } = yield* other.call("GET", `/v1/deployments/${newest}`)
      assert.deepStrictEqual([fields["trigger"], fields["image"]], [{ kind: "start" }, first["image"]])

      const alone = yield* withApp("left alone")
      yield* alone.call("DELETE", alone.path)
      const refused = yield* alone.call("POST", `${alone.path}/start`)
      assertProblem(refused, 409, "app_not_stopped")
      assert.strictEqual(refused.fields["appStatus"], "deleting")
    })
  )
})

describe("cancelling", () => {
  live("X5 a queued Deployment ends it, 200, also when that is repeated", () =>
    Effect.gen(function* () {
      const { call, path } = yield* withApp("left alone")
      const { fields } = yield* call("POST", `${path}/deployments`)
      const at = `/v1/deployments/${textAt(fields, "id")}`
      const ended = yield* call("POST", `${at}/cancel`)
      assert.deepStrictEqual(
        [ended.status, ended.fields["status"], ended.fields["cancelling"]],
        [200, "cancelled", false]
      )
      const again = yield* call("POST", `${at}/cancel`)
      assert.deepStrictEqual([again.status, again.fields], [200, ended.fields])
      assertProblem(yield* call("POST", "/v1/deployments/dep_none/cancel"), 404, "not_found")
    })
  )

  live("U3 a Deployment that hangs ends it within five seconds, and nothing of it is left", () =>
    Effect.gen(function* () {
      const { app, call, path, reaches, state } = yield* withApp()
      state.refusals.set(archive.url, "silence")
      const { fields } = yield* call("POST", `${path}/deployments`)
      const id = textAt(fields, "id")
      yield* reaches(id, "building")
      const ended = yield* call("POST", `/v1/deployments/${id}/cancel`)
      assert.deepStrictEqual([ended.status, ended.fields["status"]], [200, "cancelled"])
      assert.strictEqual(state.workloads.size, 0)
      assert.isNull((yield* call("GET", path)).fields["activeDeployment"])
      assert.isTrue([...state.intents.values()].every((intent) => intent.app !== app || intent.released))
    })
  )

  live("X5 a Deployment whose holder does not answer is 202, and says that it is on its way", () =>
    Effect.gen(function* () {
      const { call, path, state } = yield* withApp("left alone")
      const { fields } = yield* call("POST", `${path}/deployments`)
      const id = textAt(fields, "id")
      const row = state.deployments.get(DeploymentId.make(id))
      if (row !== undefined) row.deployment = { ...row.deployment, status: "building" }
      const asked = yield* call("POST", `/v1/deployments/${id}/cancel`)
      assert.deepStrictEqual(
        [asked.status, asked.fields["status"], asked.fields["cancelling"]],
        [202, "building", true]
      )
    })
  )

  live("X5 what has ended otherwise is 409 already_terminal, which says how", () =>
    Effect.gen(function* () {
      const { call, deployed } = yield* withApp()
      const { id } = yield* deployed("/deployments")
      const refused = yield* call("POST", `/v1/deployments/${String(id)}/cancel`)
      assertProblem(refused, 409, "already_terminal")
      assert.strictEqual(refused.fields["deploymentStatus"], "healthy")
    })
  )
})

describe("a Policy", () => {
  live("U8 supersede ends what is in progress and deploys the newer one", () =>
    Effect.gen(function* () {
      const { call, path, reaches, state } = yield* withApp()
      state.refusals.set(archive.url, "silence")
      const first = textAt((yield* call("POST", `${path}/deployments`)).fields, "id")
      yield* reaches(first, "building")
      const second = textAt((yield* call("POST", `${path}/deployments`, { body: { policy: "queue" } })).fields, "id")
      state.refusals.clear()
      const third = yield* call("POST", `${path}/deployments`, { body: { policy: "supersede" } })
      assert.strictEqual(third.status, 202)
      assert.strictEqual(yield* reaches(second, "superseded"), "superseded")
      assert.strictEqual(yield* reaches(first, "superseded"), "superseded")
      assert.strictEqual(yield* reaches(textAt(third.fields, "id"), "healthy"), "healthy")
    })
  )
})
