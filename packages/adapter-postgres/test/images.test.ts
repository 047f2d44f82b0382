// Which images are needed, where the Journal says so: the laws of a store alone do not reach there.

import { assert, layer } from "@effect/vitest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { present } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
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

  it.effect("INV-9: of a Job that waits or runs are needed, and afterwards as long as something of it is left", () =>
    Effect.gen(function* () {
      const [deployments, jobs, journal] = [yield* DeploymentStore, yield* JobStore, yield* Journal]
      const { app, image } = yield* Jobs.released()
      const unneeded = deployments.unneeded([image], 1)
      const claim = yield* Jobs.running({ app: app.id })
      const { fence, job, replica } = claim
      yield* Given.deployed(app)
      assert.deepStrictEqual(yield* unneeded, [])
      const name = yield* Given.freshWorkloadName
      yield* journal.intend({ app: app.id, work: job.id, fence, name, replica })
      yield* jobs.giveBack(claim)
      assert.deepStrictEqual(yield* unneeded, [])
      yield* jobs.requestCancel(job.id)
      assert.deepStrictEqual(yield* unneeded, [])
      yield* journal.released(name)
      assert.deepStrictEqual(yield* unneeded, [image])
      const again = yield* present("a Claim", (yield* jobs.rerun(job.id, yield* Jobs.freshWorker())).claim)
      assert.notStrictEqual(again.of?.image, image)
    })
  )

  it.effect("INV-9: of a Job that waits are needed, though nothing of it was ever started", () =>
    Effect.gen(function* () {
      const [deployments, jobs] = [yield* DeploymentStore, yield* JobStore]
      const { app, image } = yield* Jobs.released()
      const claim = yield* Jobs.running({ app: app.id })
      yield* jobs.giveBack(claim)
      const by = yield* Jobs.freshWorker()
      const next = yield* present("a Claim", yield* jobs.admitJob(by, claim.job.id))
      yield* Given.deployed(app)
      assert.deepStrictEqual(yield* deployments.unneeded([image], 1), [])
      yield* jobs.finish(next, { status: "succeeded", exitCode: 0 })
      assert.deepStrictEqual(yield* deployments.unneeded([image], 1), [image])
    })
  )
})
