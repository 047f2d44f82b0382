// A deployable thing of one Tenant. The table says which status may follow which; nothing else does.
import { Schema } from "effect"
import { Revision } from "./Env.ts"
import { HealthCheck } from "./HealthCheck.ts"
import { Policy } from "./Policy.ts"
import { OpenSource } from "./Source.ts"
import { TenantName } from "./Tenant.ts"
import { Command, WorkloadPort } from "./Workload.ts"

/** Identifies an App; `app_` and an opaque part. */
export const AppId = Schema.String.check(Schema.isPattern(/^app_[a-z0-9]{1,64}$/)).pipe(Schema.brand("AppId"))

/** The type of {@link AppId}. */
export type AppId = typeof AppId.Type

/** An App's name, unique among the Tenant's Apps that are not deleted; the shape of a {@link TenantName}. */
export const AppName = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,62}$/)).pipe(Schema.brand("AppName"))

/** The type of {@link AppName}. */
export type AppName = typeof AppName.Type

/** Where an App stands. Only a `live` App is deployed to; nothing returns from `expired`. */
export const AppStatus = Schema.Literals(["live", "stopped", "expired", "deleting", "deleted"])

/** The type of {@link AppStatus}. */
export type AppStatus = typeof AppStatus.Type

/** Which statuses may follow each one. */
export const appTransitions: { readonly [From in AppStatus]: ReadonlyArray<AppStatus> } = {
  live: ["stopped", "expired", "deleting"],
  stopped: ["live", "expired", "deleting"],
  expired: ["deleting"],
  deleting: ["deleted"],
  deleted: []
}

/** The statuses from which one may be reached: what a guarded write allows as its source. */
export const appSourcesOf = (to: AppStatus): ReadonlyArray<AppStatus> =>
  AppStatus.literals.filter((from) => appTransitions[from].includes(to))

/** Identifies a Deployment; `dep_` and an opaque part. Here because an App names its active one. */
export const DeploymentId = Schema.String.check(Schema.isPattern(/^dep_[a-z0-9]{1,64}$/)).pipe(
  Schema.brand("DeploymentId")
)

/** The type of {@link DeploymentId}. */
export type DeploymentId = typeof DeploymentId.Type

/** Identifies a Release; `rel_` and an opaque part. Here because an App names its current one. */
export const ReleaseId = Schema.String.check(Schema.isPattern(/^rel_[a-z0-9]{1,64}$/)).pipe(Schema.brand("ReleaseId"))

/** The type of {@link ReleaseId}. */
export type ReleaseId = typeof ReleaseId.Type

/** The host port on which an App is reached; given at creation and kept for its life. */
export const HostPort = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 })).pipe(
  Schema.brand("HostPort")
)

/** The type of {@link HostPort}. */
export type HostPort = typeof HostPort.Type

/** An App as its store answers it. `port` is where it listens, null where its image or runtime decides that; `preDeploy` runs in each new image before it serves; `deployedEnvRevision` is that of the current Release; an App without `expiresAt` is permanent. */
export const App = Schema.Struct({
  id: AppId,
  tenant: TenantName,
  name: AppName,
  status: AppStatus,
  source: Schema.NullOr(OpenSource),
  policy: Schema.NullOr(Policy),
  healthCheck: HealthCheck,
  port: Schema.NullOr(WorkloadPort),
  preDeploy: Schema.NullOr(Command),
  hostPort: HostPort,
  expiresAt: Schema.NullOr(Schema.DateTimeUtc),
  envRevision: Revision,
  deployedEnvRevision: Schema.NullOr(Revision),
  currentRelease: Schema.NullOr(ReleaseId),
  activeDeployment: Schema.NullOr(DeploymentId),
  createdAt: Schema.DateTimeUtc,
  updatedAt: Schema.DateTimeUtc
})

/** The type of {@link App}. */
export interface App extends Schema.Schema.Type<typeof App> {}
