// Which images are needed: those of Releases to which somebody may go back, and of what is under way. A part of the
// DeploymentStore's contract.
import { Effect } from "effect"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EnvStore } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, eventually, law, present } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** The laws of `unneeded`. */
export const DeploymentImageContract: Contract<DeploymentStore | AppStore | EnvStore | EventFeed> = [
  law(
    "INV-9",
    "the images of the newest Releases of an App are needed, those of older ones and of nobody are not",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const [app, other] = [yield* Given.registered(), yield* Given.registered()]
      const image = Effect.flatMap(Given.deployed(app), ({ deployment }) => present("an image", deployment.image))
      const [first, second] = [yield* image, yield* image]
      const { deployment } = yield* Given.deployed(other)
      const third = yield* image
      const foreign = yield* present("an image", deployment.image)
      const nobodys = yield* Given.freshImage
      const all = [first, foreign, second, nobodys, third]
      yield* equal("unneeded when two are kept", yield* deployments.unneeded(all, 2), [first, nobodys])
      yield* equal("unneeded when one is kept", yield* deployments.unneeded(all, 1), [first, second, nobodys])
      yield* equal("unneeded when all are kept", yield* deployments.unneeded(all, 100), [nobodys])
      yield* equal("unneeded of none", yield* deployments.unneeded([], 1), [])
    })
  ),

  law(
    "INV-10",
    "the image of a Deployment is needed while it waits and while it is in progress, and not when it has failed",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { deployment } = yield* Given.deployed(app)
      const [first, release] = [yield* present("an image", deployment.image), yield* present("it", deployment.release)]
      yield* Given.deployed(app)
      yield* equal("unneeded", yield* deployments.unneeded([first], 1), [first])
      const back = yield* Given.begun(app, { trigger: { kind: "rollback" }, release })
      yield* equal("unneeded while it waits", yield* deployments.unneeded([first], 1), [])
      yield* deployments.withdraw(back.id)
      yield* equal("unneeded when it was withdrawn", yield* deployments.unneeded([first], 1), [first])

      const claim = yield* Given.claimed(app)
      const built = yield* Given.freshImage
      yield* deployments.built(claim, built, null)
      yield* equal("unneeded in progress", yield* deployments.unneeded([built], 1), [])
      yield* deployments.finish(claim, Given.endings[0])
      yield* equal("unneeded after it failed", yield* deployments.unneeded([built], 1), [built])
    })
  ),

  law(
    "INV-10",
    "the images of an App are needed until it is deleted",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered()
      const image = yield* present("an image", (yield* Given.deployed(app)).deployment.image)
      yield* apps.mark(app.id, "stopped")
      yield* equal("unneeded of a stopped App", yield* deployments.unneeded([image], 1), [])
      yield* apps.mark(app.id, "deleting")
      const isOurs = (ending: { readonly app: { readonly id: string } }) => ending.app.id === app.id
      const endings = yield* eventually("it ends", apps.ending(1_000), (found) => found.some(isOurs))
      yield* apps.settle(yield* present("the ending App", endings.find(isOurs)))
      yield* equal("unneeded of a deleted App", yield* deployments.unneeded([image], 1), [image])
    })
  )
]
