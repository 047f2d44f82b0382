// Removes images to which nobody can go back any more. It knows only the images that the runtime keeps and are ours.
import { Duration, Effect } from "effect"
import { retention } from "../domain/Retention.ts"
import type { ImageDigest, KeptImage } from "../domain/Workload.ts"
import { ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { monotonicMillis } from "./lease.ts"
import { countReaped } from "./metrics.ts"
import { Replica } from "./Replica.ts"

/** How many Releases of each App keep their image, unless it is said. */
export const defaultRetain: number = retention.releases.newest

/** How many images the store is asked about at once. */
const batch = 100

/** The images that are kept and that nothing needs now, each with all that keeps it. */
export const unneededImages = Effect.fn("unneededImages")(function* (
  listed: ReadonlyArray<KeptImage>,
  retain: number
): Effect.fn.Return<ReadonlyMap<ImageDigest, ReadonlyArray<KeptImage>>, StoreError, DeploymentStore> {
  const store = yield* DeploymentStore
  const images = Map.groupBy(listed, ({ image }) => image)
  const unneeded = new Map<ImageDigest, ReadonlyArray<KeptImage>>()
  for (let from = 0; from < images.size; from += batch) {
    for (const image of yield* store.unneeded([...images.keys()].slice(from, from + batch), retain)) {
      unneeded.set(image, images.get(image) ?? [])
    }
  }
  return unneeded
})

/**
 * Makes a pass that removes the images that nothing needs, and answers them. A pass leaves alone what it has known for less
 * than two lease times: whoever was about to say that he needs it has done so by then, or has lost his lease. Whoever needs
 * an image again keeps it anew, and it is removed only as it was listed before the store was asked. What fails is left for a
 * later pass.
 */
export const makeCollectImages = Effect.sync(() => {
  const knownSince = new Map<string, number>()

  const ripe = Effect.fnUntraced(function* (listed: ReadonlyArray<KeptImage>) {
    const { terms } = yield* Replica
    const now = yield* monotonicMillis
    const marks = new Set(listed.map(({ mark }) => mark))
    for (const mark of knownSince.keys()) if (!marks.has(mark)) knownSince.delete(mark)
    for (const mark of marks) if (!knownSince.has(mark)) knownSince.set(mark, now)
    const grace = Duration.toMillis(terms.ttl) * 2
    return listed.filter(({ mark }) => now - (knownSince.get(mark) ?? now) >= grace)
  })

  return Effect.fn("collectImages")(function* (
    retain: number = defaultRetain
  ): Effect.fn.Return<
    ReadonlyArray<ImageDigest>,
    RuntimeError | StoreError,
    ContainerRuntime | DeploymentStore | Replica
  > {
    const runtime = yield* ContainerRuntime
    const unneeded = yield* unneededImages(yield* ripe(yield* runtime.images), retain)
    const collected = yield* Effect.filter([...unneeded], ([image, kept]) => isRemoved(image, kept))
    yield* countReaped("image", collected.length)
    return collected.map(([image]) => image)
  })
})

const isRemoved = Effect.fnUntraced(function* (image: ImageDigest, kept: ReadonlyArray<KeptImage>) {
  const runtime = yield* ContainerRuntime
  return yield* Effect.forEach(kept, runtime.removeImage, { discard: true }).pipe(
    Effect.andThen(Effect.map(runtime.hasImage(image), (isThere) => !isThere)),
    Effect.catchCause((cause) => Effect.as(Effect.logWarning(`${image} was not removed yet`, cause), false))
  )
})
