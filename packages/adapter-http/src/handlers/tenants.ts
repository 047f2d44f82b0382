// What a Tenant uses.
import { Effect, Option, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Api } from "../api/Api.ts"
import { maySee, notFound, unavailable } from "./outcomes.ts"

/** Handles the Tenant routes. */
export const tenantsHandlers = HttpApiBuilder.group(
  Api,
  "tenants",
  Effect.fnUntraced(function* (handlers) {
    const store = yield* DeploymentStore
    return handlers.handleAll({
      get: Effect.fnUntraced(function* ({ params }) {
        const tenant = Schema.decodeOption(TenantName)(params.tenant)
        if (Option.isNone(tenant)) return yield* notFound()
        yield* maySee(tenant.value)
        return yield* store.usage(tenant.value).pipe(Effect.catchTags({ StoreError: unavailable }))
      })
    })
  })
)
