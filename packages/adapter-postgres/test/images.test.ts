// Which images are needed, where the Journal says so: the laws of a store alone do not reach there.

import { assert, layer } from "@effect/vitest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { present } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import { stores } from "./support/stores.ts"

layer(stores(), { excludeTestServices: true })("images", (it) => {
  it.effect("INV-9: of what is not released are needed, also when their Release is too old or was never made", () =>
    Effect.gen(function* () {
      const [deployments, journal] = [yield* DeploymentStore, yield* Journal]
      const app = yield* Given.registered()
      const { deployment } = yield* Given.deployed(app)
      const claim = yield* Given.deploying(app)
      const name = yield* Given.freshWorkloadName
      const { fence, replica } = claim
      yield* journal.intend({ app: app.id, work: claim.deployment.id, fence, name, replica })
      const { image: built } = yield* deployments.finish(claim, Given.endings[0])
      yield* Given.deployed(app)
      const [first, second] = [yield* present("an image", deployment.image), yield* present("an image", built)]
      assert.deepStrictEqual(yield* deployments.unneeded([first, second], 1), [first])
      yield* journal.released(name)
      assert.deepStrictEqual(yield* deployments.unneeded([first, second], 1), [first, second])
    })
  )
})
