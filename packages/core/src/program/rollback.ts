// Going back to a Release: asked for only while its image is there, so that nothing begins that cannot serve.
import { Effect, Schema } from "effect"
import type { AppId, ReleaseId } from "../domain/App.ts"
import type { Deployment } from "../domain/Deployment.ts"
import type { Policy } from "../domain/Policy.ts"
import { ImageDigest } from "../domain/Workload.ts"
import { ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import type { DeploymentRefused, ReleaseNotFound } from "../port/DeploymentRequest.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { begin } from "./begin.ts"
import { countRollback, type RollbackOutcome } from "./metrics.ts"

/** The image of the Release is not there any more. Nothing began. */
export class ImageGone extends Schema.TaggedError<ImageGone>()("ImageGone", { image: ImageDigest }) {}

/** Which Release, and what to do with the App's active Deployments. */
export interface RollbackRequest {
  readonly app: AppId
  readonly release: ReleaseId
  readonly policy?: Policy | undefined
}

/**
 * Keeps the image of a Release, so that nobody removes it meanwhile, and begins a Deployment of exactly what a Release ran, its image with its Env, and answers it, `queued`: whoever carries out
 * Deployments takes it from there. Healthy, it makes a new Release.
 */
export const beginRollback = Effect.fn("beginRollback")(function* (
  request: RollbackRequest
): Effect.fn.Return<Deployment, RollbackError, ContainerRuntime | DeploymentStore> {
  return yield* begun(request).pipe(
    Effect.tap(() => countRollback("begun")),
    Effect.tapError(({ _tag }) => countRollback(outcomes[_tag]))
  )
})

type RollbackError = ReleaseNotFound | ImageGone | DeploymentRefused | RuntimeError | StoreError

const outcomes: { readonly [Tag in RollbackError["_tag"]]: RollbackOutcome } = {
  DeploymentRefused: "refused",
  ImageGone: "image_gone",
  ReleaseNotFound: "release_not_found",
  RuntimeError: "engine_failed",
  StoreError: "store_failed"
}

const begun = Effect.fnUntraced(function* ({ app, policy, release }: RollbackRequest) {
  const store = yield* DeploymentStore
  const runtime = yield* ContainerRuntime
  const { image } = yield* store.release(app, release)
  yield* runtime.keepImage(image).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "image_gone",
      () => new ImageGone({ image })
    )
  )
  const { deployment } = yield* begin({ app, release, policy, trigger: { kind: "rollback" } })
  return deployment
})
