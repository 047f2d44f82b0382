// Removes images to which nobody can go back any more. It knows only the images that the runtime keeps and are ours.
import { DateTime, Duration, Effect } from "effect"
import type { ImageDigest, KeptImage } from "../domain/Workload.ts"
import { ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { countReaped } from "./metrics.ts"
import { Replica } from "./Replica.ts"

/** Which images may go. */
export interface CollectOptions {
  /** How many Releases of each App keep their image; five unless told otherwise. */
  readonly retain?: number | undefined
  /** Only says which images it would remove. */
  readonly dryRun?: boolean | undefined
}

/** How many images the store is asked about at once. */
const batch = 200

/**
 * Removes the images that nothing needs, and answers them. One is left alone for two lease times after it was built: a
 * Deployment that still has its lease says within that time that it needs it. One that is built again meanwhile stays, since
 * it is removed as it was listed, before the store was asked. What fails is left for a later pass.
 */
export const collectImages = Effect.fn("collectImages")(function* ({
  dryRun = false,
  retain = 5
}: CollectOptions = {}): Effect.fn.Return<
  ReadonlyArray<ImageDigest>,
  RuntimeError | StoreError,
  ContainerRuntime | DeploymentStore | Replica
> {
  const runtime = yield* ContainerRuntime
  const store = yield* DeploymentStore
  const { terms } = yield* Replica
  const before = DateTime.subtractDuration(yield* DateTime.now, Duration.times(terms.ttl, 2))

  const old = (yield* runtime.images).filter(({ since }) => DateTime.isLessThan(since, before))
  const images = [...new Set(old.map(({ image }) => image))]
  const collected: Array<ImageDigest> = []
  for (let from = 0; from < images.length; from += batch) {
    const unneeded = yield* store.unneeded(images.slice(from, from + batch), retain)
    const removed = dryRun ? unneeded : yield* Effect.filter(unneeded, (image) => isRemoved(old, image))
    collected.push(...removed)
  }
  if (!dryRun) yield* countReaped("image", collected.length)
  return collected
})

const isRemoved = Effect.fnUntraced(function* (listed: ReadonlyArray<KeptImage>, image: ImageDigest) {
  const runtime = yield* ContainerRuntime
  const names = listed.filter((kept) => kept.image === image)
  return yield* Effect.forEach(names, runtime.removeImage, { discard: true }).pipe(
    Effect.andThen(Effect.map(runtime.hasImage(image), (isThere) => !isThere)),
    Effect.catchCause((cause) => Effect.as(Effect.logWarning(`${image} was not removed yet`, cause), false))
  )
})
