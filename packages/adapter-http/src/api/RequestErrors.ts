// What a request that does not have the declared shape is answered with: declared here, decided in
// internal/requestErrors.ts.
import { HttpApiMiddleware } from "effect/http-api"
import { InvalidBody, InvalidEnvKey, InvalidEnvValue, InvalidJobCap, InvalidSource, MissingEnv } from "./Problems.ts"

/** Turns a request that could not be decoded into its problem. */
export class RequestErrors extends HttpApiMiddleware.Service<RequestErrors>()(
  "@lockkeeper/adapter-http/RequestErrors",
  {
    error: [InvalidBody, InvalidJobCap, InvalidSource, MissingEnv, InvalidEnvKey, InvalidEnvValue]
  }
) {}
