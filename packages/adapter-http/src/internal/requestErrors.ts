// Turns a request that could not be decoded into the problem that names what is wrong with it.
import { Cause, Effect, type Layer, SchemaIssue } from "effect"
import { HttpApiMiddleware } from "effect/http-api"
import { InvalidBody, InvalidEnvValue, InvalidSource, MissingEnv } from "../api/Problems.ts"
import { RequestErrors } from "../api/RequestErrors.ts"

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

const keyOf = (segment: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof segment === "object" ? segment.key : segment)

/** {@link RequestErrors} from the first thing that is wrong. What was sent is never repeated. */
export const requestErrorsLayer: Layer.Layer<RequestErrors> = HttpApiMiddleware.layerSchemaErrorTransform(
  RequestErrors,
  (error, { endpoint }) => {
    if (error.kind === "Body" || error.kind === "ResponseHeaders") return Effect.die(Cause.squash(Cause.fail(error)))
    const [issue] = issuesOf(error.cause.issue).issues
    const path = (issue?.path ?? []).map(keyOf)
    const [field, key] = path
    const where = [error.kind.toLowerCase(), ...path].join(".")
    const detail = `${where}: ${issue?.message ?? "not what is expected here"}`
    if (error.kind === "Payload" && field === "source") return Effect.fail(new InvalidSource({ detail }))
    if (error.kind === "Payload" && field === "env" && endpoint.identifier.endsWith("Env")) {
      return Effect.fail(key === undefined ? new MissingEnv({ detail }) : new InvalidEnvValue({ detail, key }))
    }
    return Effect.fail(new InvalidBody({ detail }))
  }
)
