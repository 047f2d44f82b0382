// What keeping images keeps: each is there until it is removed as it was listed, and nothing that is needed goes. A part of
// the ContainerRuntime's contract.
import { Effect } from "effect"
import type { ImageDigest } from "../domain/Workload.ts"
import { ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import { type Contract, equal, holds, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** How an image is kept. */
const keptAs = Effect.fnUntraced(function* (image: ImageDigest) {
  const runtime = yield* ContainerRuntime
  return (yield* runtime.images).filter((kept) => kept.image === image)
})

/** Removes images as they were listed. */
const removed = Effect.fnUntraced(function* (listed: Effect.Success<ReturnType<typeof keptAs>>) {
  const runtime = yield* ContainerRuntime
  yield* Effect.forEach(listed, runtime.removeImage, { discard: true })
})

/** The laws of kept images, with a way to build one that serves. */
export const makeContainerImageContract = (
  build: Effect.Effect<ImageDigest, RuntimeError, ContainerRuntime>
): Contract<ContainerRuntime> => [
  law(
    "INV-10",
    "an image is listed until it is removed; then it is gone, and removing it again is no error",
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const image = yield* build
      const listed = yield* keptAs(image)
      yield* holds("an image that is kept", listed.length > 0, listed)
      for (const _ of [1, 2]) {
        yield* removed(listed)
        yield* equal("how it is kept", yield* keptAs(image), [])
        yield* equal("whether it is there", yield* runtime.hasImage(image), false)
      }
      yield* equal("whether it is there when it was built again", yield* runtime.hasImage(yield* build), true)
    })
  ),

  law(
    "INV-9",
    "an image that was built again after it was listed stays",
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const listed = yield* keptAs(yield* build)
      const image = yield* build
      yield* removed(listed)
      yield* equal("whether it is there", yield* runtime.hasImage(image), true)
      yield* holds("an image that is kept", (yield* keptAs(image)).length > 0)
    })
  ),

  law(
    "INV-9",
    "an image that was kept anew after it was listed stays, and one that is gone cannot be kept",
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const image = yield* build
      const listed = yield* keptAs(image)
      yield* runtime.keepImage(image)
      yield* removed(listed)
      yield* equal("whether it is there", yield* runtime.hasImage(image), true)
      yield* removed(yield* keptAs(image))
      yield* equal("whether it is there when it was removed", yield* runtime.hasImage(image), false)
      const { reason } = yield* refused("RuntimeError", runtime.keepImage(image))
      yield* equal("the reason", reason, "image_gone")
      yield* build
    })
  ),

  law(
    "INV-9",
    "an image from which a Workload was started stays, and the Workload runs on",
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const image = yield* build
      const spec = yield* Given.workloadSpec(image)
      const checked = Effect.gen(function* () {
        const workload = yield* runtime.start(spec)
        yield* removed(yield* keptAs(image))
        yield* equal("whether it is there", yield* runtime.hasImage(image), true)
        yield* holds("an image that is kept", (yield* keptAs(image)).length > 0)
        yield* equal("what is seen", yield* runtime.inspect(workload), { state: "running", image })
      })
      yield* Effect.ensuring(checked, Effect.ignore(runtime.stop(spec.name, undefined)))
    })
  )
]
