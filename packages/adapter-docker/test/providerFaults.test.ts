// Runs on an engine that refuses calls, loses answers and images: who fails takes away what it made itself, and nothing else.

import { assert, describe, layer } from "@effect/vitest"
import { Failpoints } from "@lockkeeper/core/port/failpoint"
import { quiet, runningOf } from "@lockkeeper/core/testing/ProviderFixture"
import { Effect } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import { docker } from "../../../test/harness/engine.ts"
import { counts, freshInstallation, nothing, shell, treeOf } from "./support/engine.ts"
import { fixture, providersOf } from "./support/provider.ts"

const installation = freshInstallation()

/** Calls of the engine at this point are not made, and fail. */
const refused = (at: string) =>
  Effect.provideService(Failpoints, (point, effect, refuse) => (point === at && refuse !== undefined ? refuse : effect))

/** Calls of the engine at this point are made, and their answers are lost. */
const unanswered = (at: string) =>
  Effect.provideService(Failpoints, (point, effect, refuse) =>
    point === at && refuse !== undefined ? Effect.andThen(effect, refuse) : effect
  )

/** Something else happens after calls of the engine at this point. */
const followed = (at: string, by: Effect.Effect<unknown>) =>
  Effect.provideService(Failpoints, <A, E, R>(point: string, effect: Effect.Effect<A, E, R>) =>
    point === at ? Effect.onExit(effect, () => by) : effect
  )

describe("Runs", () => {
  describeWith("docker")("on a Docker engine with faults", () => {
    layer(providersOf(installation), { excludeTestServices: true })((it) => {
      it.effect("H37: leaves a node alone when a second start of it fails, for whatever reason", () =>
        Effect.gen(function* () {
          const run = yield* runningOf(fixture)()
          const again = run.provider.start(run.spec, quiet)
          const reasons = [
            yield* Effect.flip(refused("docker.create")(again)),
            yield* Effect.flip(unanswered("docker.create")(again)),
            yield* Effect.flip(again)
          ].map(({ reason }) => reason)
          assert.deepStrictEqual(reasons, ["provider_unavailable", "name_conflict", "name_conflict"])
          assert.deepStrictEqual(yield* run.inspect, { state: "running" })
        }).pipe(Effect.scoped)
      )

      it.effect("H37: leaves a node alone when the image of a second start of it is removed meanwhile", () =>
        Effect.gen(function* () {
          const run = yield* runningOf(fixture)()
          const tree = yield* treeOf(shell("exit 0"))
          const image = yield* run.provider.build(run.owner, tree, quiet)
          const isLost = Effect.promise(() => docker.getImage(image).remove())
          const again = run.provider.start({ ...run.spec, node: { ...run.spec.node, image: null }, image }, quiet)
          const racing = followed("docker.inspect image", isLost)(again)
          assert.strictEqual((yield* Effect.flip(racing)).reason, "image_not_found")
          assert.deepStrictEqual(yield* run.inspect, { state: "running" })
        }).pipe(Effect.scoped)
      )

      it.effect("H37: leaves nothing of a node of which the engine did not say that it made it", () =>
        Effect.gen(function* () {
          const run = yield* runningOf(fixture)()
          yield* run.provider.remove(run.owner.run)
          yield* run.provider.prepare(run.owner, run.subnet)
          const lost = unanswered("docker.create")(run.provider.start(run.spec, quiet))
          assert.strictEqual((yield* Effect.flip(lost)).reason, "provider_unavailable")
          assert.deepStrictEqual(yield* counts(installation), { ...nothing, networks: 1 })
        }).pipe(Effect.scoped)
      )
    })
  })
})
