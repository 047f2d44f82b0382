// Rows of Apps as the domain's Apps: what other tables decide of an App is joined here, and nowhere else.

import { App, AppId, AppStatus } from "@lockkeeper/core/domain/App"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { Policy } from "@lockkeeper/core/domain/Policy"
import { OpenSource } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Schema } from "effect"
import { eachRowOf, rowsOf } from "./Database.ts"
import { Instant, Int8, Sealed } from "./columns.ts"

/** The columns of {@link appFields}; they need {@link appTables}. */
export const appColumns = `
  a.id, a.tenant, a.name, a.status, a.source, a.policy, a.health_check as "healthCheck", a.port,
  a.pre_deploy as "preDeploy",
  a.host_port as "hostPort", a.expires_at as "expiresAt",
  a.env_revision as "envRevision", r.env_revision as "deployedEnvRevision", r.id as "currentRelease",
  (
    select d.id from deployments d
    where d.app = a.id and d.status in ('queued', 'building', 'deploying') order by d.position limit 1
  ) as "activeDeployment",
  a.created_at as "createdAt", a.updated_at as "updatedAt"`

/** What stands beside an App. */
export const appJoins = `left join releases r on r.app = a.id and r.current`

/** The tables behind {@link appColumns}; deleted Apps are among them. */
export const appTables = `apps a ${appJoins}`

/** An App as a row. */
export const appFields = { ...App.fields, expiresAt: Schema.NullOr(Instant), createdAt: Instant, updatedAt: Instant }

/** Reads Apps. */
export const appRows = rowsOf(Schema.Struct(appFields))

/** Reads Apps with the newest Fence of each, one that cannot be read apart from the others. */
export const fencedAppRows = eachRowOf(AppId, Schema.Struct({ ...appFields, fence: Int8.pipe(Schema.decodeTo(Fence)) }))

/** Reads Apps with where they stand in the list of all. */
export const listedAppRows = rowsOf(Schema.Struct({ ...appFields, position: Int8 }))

/** Reads what guards a change of an App: `for no key update`, before anything is decided from other rows. */
export const lockedAppRows = rowsOf(Schema.Struct({ tenant: TenantName, status: AppStatus }))

const deployableFields = Schema.Struct({
  tenant: TenantName,
  status: AppStatus,
  policy: Schema.NullOr(Policy),
  source: Schema.NullOr(OpenSource),
  sealed: Schema.NullOr(Sealed)
})

/** What a Deployment takes from its App. */
export interface DeployableApp extends Schema.Schema.Type<typeof deployableFields> {}

/** Reads what a Deployment takes from its App. */
export const deployableAppRows = rowsOf(deployableFields)

/** Drops a row's place from the App. */
export const unlisted = ({ position: _, ...app }: App & { readonly position: number }): App => app
