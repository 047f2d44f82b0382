// What all stores together keep about an App that is not live: nothing deploys it, nothing brings it back. The ports have
// no general way to set a status, so a team gives its own, which may write to its tables directly.
import { Effect } from "effect"
import type { AppId, AppStatus } from "../domain/App.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { Journal } from "../port/Journal.ts"
import { type Contract, equal, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** The laws about Apps that are not live, with a way to set a status. */
export const makeAppStatusContract = <E, R>(
  put: (app: AppId, status: AppStatus) => Effect.Effect<void, E, R>
): Contract<AppStore | DeploymentStore | EnvStore | EventFeed | Journal | R> => [
  law(
    "R7",
    "an App that is not live takes no change and no Deployment, and both refusals say its status",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      for (const status of ["stopped", "expired", "deleting"] as const) {
        const app = yield* Given.registered()
        yield* put(app.id, status)
        const before = yield* apps.get(app.id)
        yield* equal("the status", before.status, status)
        const { app: id, status: said } = yield* refused("AppNotLive", apps.change(app.id, { policy: "reject" }))
        yield* equal("the refusal of the change", [id, said], [app.id, status])
        const reason = yield* Given.refusedBegin("AppNotLive", Given.asked(app))
        yield* equal("the refusal of the Deployment", reason, { _tag: "AppNotLive", app: app.id, status })
        yield* equal("the App", yield* apps.get(app.id), before)
        yield* equal("its Deployments", (yield* deployments.list(app.id, { limit: 1 })).items, [])
      }
    })
  ),

  law(
    "E5",
    "the Env of a stopped App may be changed, that of an expired or deleting one stays as it is",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      for (const status of ["stopped", "expired", "deleting"] as const) {
        const app = yield* Given.registered()
        yield* Given.revised(app, { A: "1" })
        yield* put(app.id, status)
        if (status === "stopped") {
          yield* Given.revised(app, { A: "2" })
        } else {
          const refusal = yield* refused("AppNotLive", Given.revised(app, { A: "2" }))
          yield* equal("the refusal", [refusal.app, refusal.status], [app.id, status])
        }
        const { env, revision } = yield* envs.read(app.id)
        const expected = status === "stopped" ? [{ A: "2" }, 2] : [{ A: "1" }, 1]
        yield* equal("the Env", [Given.plain(env), Number(revision)], expected)
      }
    })
  ),

  law(
    "INV-6",
    "a deleted App is gone for everybody, is in no list, and its name is free",
    Effect.gen(function* () {
      const [apps, envs] = [yield* AppStore, yield* EnvStore]
      const app = yield* Given.registered()
      yield* put(app.id, "deleted")
      yield* refused("AppGone", apps.get(app.id))
      yield* refused("AppGone", apps.change(app.id, { policy: "reject" }))
      yield* refused("AppGone", envs.read(app.id))
      yield* refused("AppGone", envs.readAt(app.id, app.envRevision))
      yield* refused("AppGone", envs.history(app.id, { limit: 1 }))
      yield* refused("AppGone", Given.revised(app, { A: "1" }))
      yield* Given.refusedBegin("AppGone", Given.asked(app))
      yield* equal("the Tenant's Apps", (yield* apps.list(app.tenant, { limit: 10 })).items, [])
      const next = yield* Given.registered({ tenant: app.tenant, name: app.name })
      yield* equal("the Tenant's Apps", (yield* apps.list(app.tenant, { limit: 10 })).items, [next])
    })
  ),

  law(
    "INV-6",
    "a Deployment of an App that is no longer live is neither activated nor healthy, and can still be ended",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      for (const status of ["stopped", "expired", "deleting", "deleted"] as const) {
        const app = yield* Given.registered()
        const claim = yield* Given.deploying(app)
        if (status !== "stopped") yield* deployments.activate(claim)
        yield* put(app.id, status)
        yield* refused("AppGone", deployments.activate(claim))
        const { _tag } = yield* Effect.flip(deployments.finish(claim, { status: "healthy" }))
        yield* equal("what a healthy end comes to", _tag, status === "stopped" ? _tag : "AppGone")
        yield* equal("the status", (yield* deployments.get(claim.deployment.id)).status, "deploying")
        const [failed] = Given.endings
        yield* equal("the end", (yield* deployments.finish(claim, failed)).status, "failed")
        const { running, queued } = yield* deployments.usage(app.tenant)
        yield* equal("the Tenant's usage", [running, queued], [0, 0])
      }
    })
  ),

  law(
    "INV-7",
    "an App that is not live serves nothing, and nobody owns what its Release made",
    Effect.gen(function* () {
      const [deployments, journal] = [yield* DeploymentStore, yield* Journal]
      for (const status of ["stopped", "expired", "deleting", "deleted"] as const) {
        const app = yield* Given.registered()
        const claim = yield* Given.deploying(app)
        const name = yield* Given.freshWorkloadName
        const { fence, replica } = claim
        yield* journal.intend({ name, app: app.id, work: claim.deployment.id, fence, replica })
        yield* deployments.activate(claim)
        yield* deployments.finish(claim, { status: "healthy" })
        yield* put(app.id, status)
        const serving = (yield* deployments.serving).filter((each) => each.app.id === app.id)
        yield* equal("what serves", serving, [])
        const unowned = (yield* journal.unowned(10_000)).filter((intent) => intent.app === app.id)
        yield* equal(
          "what nobody owns",
          unowned.map((intent) => intent.name),
          [name]
        )
        yield* journal.released(name)
      }
    })
  )
]
