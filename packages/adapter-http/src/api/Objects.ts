// The objects that the API answers, and what it takes. They follow the domain; what differs is said here.
import { Effect, Schema } from "effect"
import { App as DomainApp, AppName } from "@lockkeeper/core/domain/App"
import { Deployment as DomainDeployment, DeploymentStatus, Trigger } from "@lockkeeper/core/domain/Deployment"
import { Revision } from "@lockkeeper/core/domain/Env"
import { HealthCheck } from "@lockkeeper/core/domain/HealthCheck"
import { LogLine } from "@lockkeeper/core/domain/LogLine"
import { Policy } from "@lockkeeper/core/domain/Policy"
import { GitRef, Source } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { WorkloadPort } from "@lockkeeper/core/domain/Workload"

const { hostPort: _, ...appFields } = DomainApp.fields

/** An App. `url` is null until its first healthy Deployment; `envPending` says that its Env changed since that. */
export const App = Schema.Struct({
  ...appFields,
  preDeploy: Schema.Null,
  expiresAt: Schema.Null,
  envPending: Schema.Boolean,
  url: Schema.NullOr(Schema.String)
}).annotate({ identifier: "App" })

/** The type of {@link App}. */
export interface App extends Schema.Schema.Type<typeof App> {}

/** A Deployment. `cancelling` says that somebody asked for its end and it has not come yet. */
export const Deployment = Schema.Struct({ ...DomainDeployment.fields, cancelling: Schema.Boolean }).annotate({
  identifier: "Deployment"
})

/** The type of {@link Deployment}. */
export interface Deployment extends Schema.Schema.Type<typeof Deployment> {}

const page = <S extends Schema.Top>(item: S) =>
  Schema.Struct({ items: Schema.Array(item), nextCursor: Schema.NullOr(Schema.String) })

/** Some Apps, newest first. */
export const AppPage = page(App)

/** Some Deployments, newest first. */
export const DeploymentPage = page(Deployment)

/** How many items a list answers, and where it begins. */
export const PageQuery = {
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))),
  cursor: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^\d{1,18}$/)))
}

const { intervalMillis, timeoutSeconds, path } = HealthCheck.fields

/** A health check with its defaults left out. */
export const HealthCheckInput = Schema.Struct({
  path,
  intervalMillis: intervalMillis.pipe(Schema.withDecodingDefaultKey(Effect.succeed(500))),
  timeoutSeconds: timeoutSeconds.pipe(Schema.withDecodingDefaultKey(Effect.succeed(60)))
})

/** What a new App is made from. */
export const NewApp = Schema.Struct({
  tenant: TenantName,
  name: AppName,
  source: Schema.optionalKey(Source),
  policy: Schema.optionalKey(Policy),
  healthCheck: Schema.optionalKey(HealthCheckInput),
  port: Schema.optionalKey(WorkloadPort)
})

/** What to change of an App; what is absent stays. */
export const AppPatch = Schema.Struct({
  source: Schema.optionalKey(Source),
  policy: Schema.optionalKey(Policy),
  healthCheck: Schema.optionalKey(HealthCheckInput),
  port: Schema.optionalKey(WorkloadPort)
})

/** What a Deployment is begun with; everything may be absent. */
export const NewDeployment = Schema.Struct({
  source: Schema.optionalKey(Source),
  ref: Schema.optionalKey(GitRef),
  policy: Schema.optionalKey(Policy),
  minEnvRevision: Schema.optionalKey(Revision),
  trigger: Schema.optionalKey(Trigger)
})

/** The variables of an App. Values are masked as `***` unless they were asked for. */
export const EnvView = Schema.Struct({
  revision: Revision,
  deployedRevision: Schema.NullOr(Revision),
  pending: Schema.Boolean,
  env: Schema.Record(Schema.String, Schema.String)
})

/** Variables to set, and those to delete: `null` or the empty string. */
export const EnvPatch = Schema.Struct({ env: Schema.Record(Schema.String, Schema.NullOr(Schema.String)) })

/** What a change of an Env came to. */
export const EnvChanged = Schema.Struct({
  revision: Revision,
  keysSet: Schema.Int,
  keysDeleted: Schema.Int,
  total: Schema.Int,
  env: Schema.Record(Schema.String, Schema.String)
})

/** A line of a log, or its end with the status that the Deployment ended in. */
export const LogItem = Schema.Union([
  LogLine,
  Schema.Struct({ seq: Schema.Int, end: Schema.Literal(true), status: DeploymentStatus })
])

/** The type of {@link LogItem}. */
export type LogItem = typeof LogItem.Type

/** That the server is up, what it was built from, and the schema that it needs. */
export const Health = Schema.Struct({ status: Schema.Literal("ok"), build: Schema.String, schemaVersion: Schema.Int })

/** That the server takes requests. */
export const Ready = Schema.Struct({ status: Schema.Literal("ready") })

/** Why the server does not take requests now. */
export const NotReady = Schema.Struct({ status: Schema.Literal("not_ready"), reasons: Schema.Array(Schema.String) })
