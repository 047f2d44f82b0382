// The engine that the other parts of this package work on: where it is, whether it answers, and whether it has an image.
// Not here: what is done with it.

import { type ImageReference } from "@lockkeeper/core/domain/Source"
import { Effect, Schema } from "effect"
import { call, decoded, patience } from "./internal/call.ts"
import { type EngineError } from "./internal/EngineError.ts"
import { connect } from "./internal/connect.ts"
import * as Images from "./internal/images.ts"

/** The engine cannot be used: it does not answer, is too old, or lacks something. The message is one sentence for a person. */
export class EngineUnavailable extends Schema.TaggedError<EngineUnavailable>()("EngineUnavailable", {
  message: Schema.String
}) {}

/**
 * Where the engine is, as in `DOCKER_HOST`: `unix:///var/run/docker.sock` or `tcp://host:port`. Absent, the environment says
 * it (`DOCKER_HOST`, `DOCKER_CERT_PATH`, `DOCKER_TLS_VERIFY`), else it is the local socket.
 */
export interface DockerEngineOptions {
  readonly engine?: string | undefined
}

/** What an engine says about itself. */
export interface EngineInfo {
  readonly version: string
  readonly apiVersion: string
}

const Version = Schema.Struct({ Version: Schema.String, ApiVersion: Schema.String })

const lowestApi = [1, 41] as const

const isTooOld = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major < lowestApi[0] || (major === lowestApi[0] && minor < lowestApi[1])
}

const unavailable = (error: EngineError): EngineUnavailable =>
  new EngineUnavailable({ message: `the Docker engine cannot be used: ${error.detail}` })

/** Asks the engine what it is. API 1.41 (Docker 20.10) or newer is needed. */
export const inspectEngine = Effect.fn("DockerEngine.inspectEngine")(function* (
  options: DockerEngineOptions = {}
): Effect.fn.Return<EngineInfo, EngineUnavailable> {
  const docker = connect(options)
  const { ApiVersion, Version: version } = yield* call("version", patience.short, () => docker.version()).pipe(
    Effect.flatMap(decoded("version", Version)),
    Effect.mapError(unavailable)
  )
  if (isTooOld(ApiVersion)) {
    return yield* new EngineUnavailable({
      message: `Docker ${version} is too old: its API is ${ApiVersion}, and ${lowestApi.join(".")} or newer is needed`
    })
  }
  return { version, apiVersion: ApiVersion }
})

/** Makes sure that the engine has an image, bringing it from its registry when it has not. */
export const ensureImage = Effect.fn("DockerEngine.ensureImage")(function* (
  reference: ImageReference,
  options: DockerEngineOptions = {}
): Effect.fn.Return<void, EngineUnavailable> {
  yield* Effect.mapError(
    Images.ensure(connect(options), reference, () => Effect.void),
    ({ detail }) =>
      new EngineUnavailable({ message: `the image ${reference} is not there and cannot be pulled: ${detail}` })
  )
})
