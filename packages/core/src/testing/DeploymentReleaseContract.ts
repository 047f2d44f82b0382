// What Deployments of a Release keep: its image, the Env that was asked for, and only where there is one. A part of the
// DeploymentStore's contract.
import { Effect } from "effect"
import { ReleaseId } from "../domain/App.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EnvStore } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, law, present, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const redeploy = { trigger: { kind: "redeploy" }, release: "current" } as const
const start = { trigger: { kind: "start" }, release: "current" } as const

/** The laws of Releases and of what is made from them. */
export const DeploymentReleaseContract: Contract<DeploymentStore | AppStore | EnvStore | EventFeed> = [
  law(
    "X3",
    "Releases are read newest first in pages, or one by one, and only those of the App",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const [app, other] = [yield* Given.registered(), yield* Given.registered()]
      for (let count = 0; count < 3; count++) yield* Given.deployed(app)
      const { deployment } = yield* Given.deployed(other)
      const foreign = yield* present("a Release", deployment.release)
      const pages = yield* Given.allPages(2, (page) => deployments.releases(app.id, page))
      const seen = pages.map(({ items }) => items.map(({ current, number }) => [number, current]))
      yield* equal("the pages", seen, [
        [
          [3, true],
          [2, false]
        ],
        [[1, false]]
      ])
      for (const release of pages.flatMap(({ items }) => items)) {
        yield* equal("a Release", yield* deployments.release(app.id, release.id), release)
      }
      yield* refused("ReleaseNotFound", deployments.release(app.id, foreign))
      yield* refused("ReleaseNotFound", deployments.release(app.id, ReleaseId.make("rel_none")))
    })
  ),

  law(
    "X3",
    "a Deployment of the current Release has its image and the Env as it is, one of a named Release the Env that it had",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { deployment: first } = yield* Given.deployed(app)
      const { revision } = yield* Given.revised(app, { A: "1" })
      const { deployment: second } = yield* Given.deployed(app)
      const old = yield* present("a Release", first.release)
      const current = yield* Given.begun(app, redeploy)
      const seen = [current.image, current.envRevision, current.release, current.trigger.kind]
      yield* equal("the Deployment of the current one", seen, [second.image, revision, null, "redeploy"])
      yield* deployments.withdraw(current.id)
      const back = yield* Given.begun(app, { trigger: { kind: "rollback" }, release: old })
      const { envRevision, image, source } = back
      yield* equal("the one of the first", [image, envRevision, source], [first.image, first.envRevision, first.source])
      const claim = yield* present("a Claim", yield* Given.admission(back.id))
      yield* equal("the image that its holder is told", claim.deployment.image, first.image)
    })
  ),

  law(
    "R4",
    "what is begun of a Release that the App does not have is refused, and changes nothing",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const [app, other] = [yield* Given.registered(), yield* Given.registered()]
      const { deployment } = yield* Given.deployed(other)
      const foreign = yield* present("a Release", deployment.release)
      for (const release of ["current", foreign, ReleaseId.make("rel_none")] as const) {
        yield* Given.refusedBegin("NoRelease", Given.asked(app, { ...redeploy, release }))
      }
      yield* equal("its Deployments", (yield* deployments.list(app.id, { limit: 10 })).items.length, 0)
    })
  ),

  law(
    "R4",
    "a start makes a stopped App live, with one Event, and every other request leaves it stopped",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.registered()
      const { deployment } = yield* Given.deployed(app)
      yield* Given.refusedBegin("AppNotStopped", Given.asked(app, start))
      yield* apps.mark(app.id, "stopped")
      yield* Given.refusedBegin("AppNotLive", Given.asked(app, redeploy))
      yield* equal("the App's status", (yield* apps.get(app.id)).status, "stopped")
      const started = yield* Given.begun(app, start)
      yield* equal("what is deployed", [started.image, started.status], [deployment.image, "queued"])
      yield* equal("the App's status after the start", (yield* apps.get(app.id)).status, "live")
      const types = (yield* Given.eventsOf(app.tenant)).map(({ type }) => type).filter((type) => type === "app.live")
      yield* equal("the Events that it is live", types.length, 2)
    })
  ),

  law(
    "R4",
    "a start that is refused leaves the App stopped",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.registered()
      yield* apps.mark(app.id, "stopped")
      yield* Given.refusedBegin("NoRelease", Given.asked(app, start))
      yield* equal("the App's status", (yield* apps.get(app.id)).status, "stopped")
      yield* apps.mark(app.id, "deleting")
      yield* Given.refusedBegin("AppNotStopped", Given.asked(app, start))
      yield* equal("the App's status", (yield* apps.get(app.id)).status, "deleting")
    })
  )
]
