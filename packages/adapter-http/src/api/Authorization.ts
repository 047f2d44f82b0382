// Who is calling: declared here for server and client, decided in internal/authorizationLayer.ts.
import { Context } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { IdempotencyInProgress, IdempotencyKeyReused, Unauthorized } from "./Problems.ts"

/** The name of the token that a request came with, and the Tenant that it acts for (`*` is every one). */
export class Caller extends Context.Service<Caller, { readonly name: string; readonly tenant: TenantName | "*" }>()(
  "@lockkeeper/adapter-http/Caller"
) {}

/** Requires a bearer token, and provides the {@link Caller}. The idempotency keys of a POST or PATCH are each token's own. */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: Caller }>()(
  "@lockkeeper/adapter-http/Authorization",
  {
    requiredForClient: true,
    security: { bearer: HttpApiSecurity.bearer },
    error: [Unauthorized, IdempotencyKeyReused, IdempotencyInProgress]
  }
) {}
