// Turns a request that could not be decoded into the problem that names what is wrong with it.
import { isUtf8 } from "node:buffer"
import { Cause, Effect, Layer, Schema, SchemaIssue, type Types } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiError, type HttpApiEndpoint } from "effect/http-api"
import { EnvKey } from "@lockkeeper/core/domain/Env"
import {
  InvalidBody,
  type InvalidEnvKey,
  type InvalidEnvValue,
  InvalidJobCap,
  InvalidSource,
  MissingEnv
} from "../api/Problems.ts"
import { RequestErrors } from "../api/RequestErrors.ts"
import { invalidEnvKey, invalidEnvValue } from "../handlers/envOutcomes.ts"

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

const isEnvKey = Schema.is(EnvKey)

const keyOf = (segment: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof segment === "object" ? segment.key : segment)

type RequestError = InvalidBody | InvalidJobCap | InvalidSource | MissingEnv | InvalidEnvKey | InvalidEnvValue

const problemOf = (error: HttpApiError.HttpApiSchemaError, endpoint: HttpApiEndpoint.Top): RequestError => {
  const [issue] = issuesOf(error.cause.issue).issues
  const path = (issue?.path ?? []).map(keyOf)
  const [field, key] = path
  const where = [error.kind.toLowerCase(), ...path].join(".")
  const detail = `${where}: ${issue?.message ?? "not what is expected here"}`
  if (error.kind === "Payload" && field === "source") return new InvalidSource({ detail })
  if (error.kind === "Payload" && field === "jobCap") return new InvalidJobCap({ detail })
  if (error.kind === "Payload" && field === "env" && endpoint.identifier.endsWith("Env")) {
    if (key === undefined) return new MissingEnv({ detail })
    return isEnvKey(key) ? invalidEnvValue(key) : invalidEnvKey(key)
  }
  return new InvalidBody({ detail })
}

const carriesBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"])

/** A body that is not UTF-8 would be read with its bytes replaced: nobody stores a value that nobody sent. */
const requireUtf8 = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  if (!carriesBody.has(request.method)) return
  const body = yield* Effect.orDie(request.arrayBuffer)
  if (!isUtf8(body)) return yield* new InvalidBody({ detail: "payload: Expected UTF-8" })
})

/** {@link RequestErrors} from the first thing that is wrong. Values that were sent are never repeated. */
export const requestErrorsLayer: Layer.Layer<RequestErrors> = Layer.succeed(
  RequestErrors,
  RequestErrors.of((httpEffect, { endpoint }) =>
    Effect.catch(
      Effect.andThen(requireUtf8, httpEffect),
      (error): Effect.Effect<never, RequestError | Types.unhandled> => {
        if (!HttpApiError.HttpApiSchemaError.is(error)) return Effect.fail(error)
        const isOurs = error.kind === "Body" || error.kind === "ResponseHeaders"
        return isOurs ? Effect.die(Cause.squash(Cause.fail(error))) : Effect.fail(problemOf(error, endpoint))
      }
    )
  )
)
