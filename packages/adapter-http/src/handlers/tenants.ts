// What a Tenant uses, and how much of it may be in progress at once.
import { Effect, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Api } from "../api/Api.ts"
import { Caller } from "../api/Authorization.ts"
import { Forbidden } from "../api/Problems.ts"
import { maySee, notFound, unavailable } from "./outcomes.ts"

/** Handles the Tenant routes. */
export const tenantsHandlers = HttpApiBuilder.group(
  Api,
  "tenants",
  Effect.fnUntraced(function* (handlers) {
    const store = yield* DeploymentStore
    const named = (text: string) => Effect.mapError(Effect.fromOption(Schema.decodeOption(TenantName)(text)), notFound)

    return handlers.handleAll({
      get: Effect.fnUntraced(function* ({ params }) {
        const tenant = yield* named(params.tenant)
        yield* maySee(tenant)
        return yield* store.usage(tenant).pipe(Effect.catchTags({ StoreError: unavailable }))
      }),

      setCap: Effect.fnUntraced(function* ({ params, payload }) {
        const caller = yield* Caller
        if (caller.tenant !== "*") {
          return yield* new Forbidden({ detail: "only a token for every tenant changes a cap" })
        }
        const tenant = yield* named(params.tenant)
        return yield* store.setCap(tenant, payload.jobCap).pipe(Effect.catchTags({ StoreError: unavailable }))
      })
    })
  })
)
