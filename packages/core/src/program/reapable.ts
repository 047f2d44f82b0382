// What a pass of the Reaper would end, release and remove now, and why. It only looks.
import { Effect } from "effect"
import { ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { Journal } from "../port/Journal.ts"
import type { StoreError } from "../port/StoreError.ts"
import { defaultRetain, unneededImages } from "./collectImages.ts"
import { reapBatch } from "./reap.ts"

/** Something that a pass would release: the id of a Deployment, the name of a Workload, or the digest of an image. */
export interface Reapable {
  readonly kind: "deployment" | "workload" | "image"
  readonly name: string
  /** A clause for a person. */
  readonly why: string
}

/**
 * The dry run of `reap` and of collecting images: what one pass of each would take on now, and why; images two lease times
 * later. Nothing is changed, and nothing is promised: what it says may be gone, or needed again, by the time of a pass.
 */
export const reapable = Effect.fn("reapable")(function* ({
  retain = defaultRetain
}: { readonly retain?: number | undefined } = {}): Effect.fn.Return<
  ReadonlyArray<Reapable>,
  RuntimeError | StoreError,
  ContainerRuntime | DeploymentStore | Journal
> {
  const runtime = yield* ContainerRuntime
  const store = yield* DeploymentStore
  const journal = yield* Journal

  const abandoned = yield* store.abandoned(reapBatch)
  const unowned = yield* journal.unowned(reapBatch)
  const strays = yield* journal.unknown(yield* runtime.owned)
  const images = [...(yield* unneededImages(yield* runtime.images, retain)).keys()]
  return [
    ...abandoned.map((name) => found("deployment", name, "its holder lost the lease")),
    ...unowned.map(({ name, work }) => found("workload", name, `${work} neither runs nor serves`)),
    ...strays.map((name) => found("workload", name, "it exists and nothing says that it was to be made")),
    ...images.map((name) => found("image", name, "no retained release and nothing in progress needs it"))
  ]
})

const found = (kind: Reapable["kind"], name: string, why: string): Reapable => ({ kind, name, why })
