// The objects that the API answers, and what it takes. They follow the domain; what differs is said here.
import { DateTime, Effect, Schema } from "effect"
import { App as DomainApp, AppName } from "@lockkeeper/core/domain/App"
import { Deployment as DomainDeployment, DeploymentStatus, Trigger } from "@lockkeeper/core/domain/Deployment"
import { Revision } from "@lockkeeper/core/domain/Env"
import { Event as DomainEvent } from "@lockkeeper/core/domain/Event"
import { Explanation as DomainExplanation } from "@lockkeeper/core/domain/Explanation"
import { HealthCheck } from "@lockkeeper/core/domain/HealthCheck"
import {
  commandTimeout,
  ItemInput,
  ItemStatus,
  Job as DomainJob,
  JobStatus,
  maxItemConcurrency,
  JobTtl,
  maxItems,
  OnFull,
  OnItemFailure
} from "@lockkeeper/core/domain/Job"
import { LogLine } from "@lockkeeper/core/domain/LogLine"
import { Policy } from "@lockkeeper/core/domain/Policy"
import { RunStatus } from "@lockkeeper/core/domain/Run"
import { GitRef, Source } from "@lockkeeper/core/domain/Source"
import { Release as DomainRelease } from "@lockkeeper/core/domain/Release"
import { JobCap, TenantName } from "@lockkeeper/core/domain/Tenant"
import { Command, WorkloadPort } from "@lockkeeper/core/domain/Workload"

const { hostPort: _, ...appFields } = DomainApp.fields

const inCalendar = Schema.makeFilter((at: DateTime.Utc) => {
  const year = DateTime.getPartUtc(at, "year")
  return (year >= 1 && year <= 9999) || "a moment of the years 1 to 9999"
})

/** A moment that somebody asks for: ISO 8601, of a year that every store and every client can tell. */
export const Moment = Schema.DateTimeUtcFromString.check(inCalendar)

const expiresAt = Schema.NullOr(Moment).annotate({
  description: "When the app expires and is deleted; a permanent one never does"
})

const preDeploy = Schema.NullOr(Command).annotate({
  description:
    "A program and its arguments, run once in each deployment that fetches or builds its image, while the previous version still serves"
})

/** Whether an Env is at another revision than the one that serves. */
const pending = Schema.Boolean.annotate({
  description: "Whether the env changed since the version that serves took it; false while there is none"
})

/** An App. `url` is null until its first healthy Deployment; `envPending` says that its Env changed since that. */
export const App = Schema.Struct({
  ...appFields,
  envPending: pending,
  url: Schema.NullOr(Schema.String)
}).annotate({ identifier: "App" })

/** The type of {@link App}. */
export interface App extends Schema.Schema.Type<typeof App> {}

/** A Deployment. `cancelling` says that somebody asked for its end and it has not come yet. */
export const Deployment = DomainDeployment.annotate({ identifier: "Deployment" })

/** The type of {@link Deployment}. */
export interface Deployment extends Schema.Schema.Type<typeof Deployment> {}

/** Why a Deployment is where it is. `why` tells the cases apart. */
export const Explanation = DomainExplanation.annotate({ identifier: "Explanation" })

/** Some items, and where the next ones begin. */
export const page = <S extends Schema.Top>(item: S) =>
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

/** How many deployments and jobs of a Tenant may be in progress at once. */
export const TenantCap = Schema.Struct({
  jobCap: JobCap.annotate({ description: "0 to 10000; with 0 whatever is asked for waits, and null is no cap" })
})

/** What a new App is made from. */
export const NewApp = Schema.Struct({
  tenant: TenantName,
  name: AppName,
  source: Schema.optionalKey(Source),
  policy: Schema.optionalKey(Policy),
  healthCheck: Schema.optionalKey(HealthCheckInput),
  port: Schema.optionalKey(WorkloadPort),
  preDeploy: Schema.optionalKey(preDeploy),
  expiresAt: Schema.optionalKey(expiresAt)
})

/** When an App is to expire; a permanent one never does. */
export const AppExpiry = Schema.Struct({ expiresAt })

/** What to change of an App; what is absent stays. */
export const AppPatch = Schema.Struct({
  source: Schema.optionalKey(Source),
  policy: Schema.optionalKey(Policy),
  healthCheck: Schema.optionalKey(HealthCheckInput),
  port: Schema.optionalKey(WorkloadPort),
  preDeploy: Schema.optionalKey(preDeploy)
})

/** What a Deployment is begun with; everything may be absent. */
export const NewDeployment = Schema.Struct({
  source: Schema.optionalKey(Source),
  ref: Schema.optionalKey(GitRef),
  policy: Schema.optionalKey(Policy),
  minEnvRevision: Schema.optionalKey(Revision),
  trigger: Schema.optionalKey(Schema.Struct({ ...Trigger.fields, kind: Schema.Literals(["manual", "webhook"]) }))
})

/** What a Rollback is asked for with. */
export const Rollback = Schema.Struct({ release: Schema.String, policy: Schema.optionalKey(Policy) })

/** A Release. `current` is the one that serves. */
export const Release = DomainRelease.annotate({ identifier: "Release" })

/** Some Releases, newest first. */
export const ReleasePage = page(Release)

/** What a Redeploy may be asked for with. */
export const Redeploy = Schema.Struct({ policy: Schema.optionalKey(Policy) })

/** The variables of an App. Values are masked as `***` unless they were asked for. */
export const EnvView = Schema.Struct({
  revision: Revision,
  deployedRevision: Schema.NullOr(Revision).annotate({
    description: "The revision that the version that serves runs with; null while there is none"
  }),
  pending,
  env: Schema.Record(Schema.String, Schema.String)
})

/** Variables to set, and those to delete: `null` or the empty string. */
export const EnvPatch = Schema.Struct({ env: Schema.Record(Schema.String, Schema.NullOr(Schema.String)) })

/** All the variables that an Env is to have; one with the empty string is not among them. */
export const EnvReplacement = Schema.Struct({ env: Schema.Record(Schema.String, Schema.String) })

/** What a change of an Env came to. */
export const EnvChanged = Schema.Struct({
  revision: Revision.annotate({
    description: "The revision that holds the change; the present one when nothing changed and for a dry run"
  }),
  keysSet: Schema.Int.annotate({ description: "How many non-empty values were sent" }),
  keysDeleted: Schema.Int.annotate({ description: "How many variables that were there are not any more" }),
  total: Schema.Int,
  env: Schema.Record(Schema.String, Schema.String)
})

/** How a Revision came to be. The names that it set and deleted, never their values. */
export const EnvRevision = Schema.Struct({
  revision: Revision,
  actor: Schema.String.annotate({ description: "The name of the token that the change came with" }),
  at: Schema.DateTimeUtc,
  keysSet: Schema.Array(Schema.String),
  keysDeleted: Schema.Array(Schema.String),
  total: Schema.Int.annotate({ description: "How many variables there were then" })
})

/** Some Revisions of an Env, newest first. */
export const EnvRevisionPage = page(EnvRevision)

/** A Job. `items` counts those of a Batch; `queuePosition` is null unless it waits. */
export const Job = DomainJob.annotate({ identifier: "Job" })

/** The type of {@link Job}. */
export interface Job extends Schema.Schema.Type<typeof Job> {}

/** Some Jobs, newest first. */
export const JobPage = page(Job)

/** An Item of a Batch and how it ended. */
export const Item = Schema.Struct({
  number: Schema.Int.annotate({ description: "Its place among the items that were given, from 1" }),
  item: ItemInput,
  status: ItemStatus,
  exitCode: Schema.NullOr(Schema.Int),
  finishedAt: Schema.NullOr(Schema.DateTimeUtc)
})

/** Some Items, in the order in which they were given. */
export const ItemPage = page(Item)

/** What a Job is asked for with. */
export const NewJob = Schema.Struct({
  command: Command.annotate({ description: "A program and its arguments; no shell reads them" }),
  onFull: Schema.optionalKey(
    OnFull.annotate({ description: "Without a free slot: refuse the job, unless said otherwise, or let it wait" })
  ),
  items: Schema.optionalKey(
    Schema.NonEmptyArray(ItemInput)
      .check(Schema.isMaxLength(maxItems))
      .annotate({ description: "Run the command once for each, with `LOCKKEEPER_ITEM` set to it" })
  ),
  itemConcurrency: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxItemConcurrency })).annotate({
      description: "How many items at once; 1 unless said otherwise"
    })
  ),
  onItemFailure: Schema.optionalKey(
    OnItemFailure.annotate({
      description: "Whether items go on after one that failed; `continue` unless said otherwise"
    })
  ),
  timeoutSeconds: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: commandTimeout.most })).annotate({
      description: "How long each run of the command may take; an hour unless said otherwise"
    })
  ),
  ttlSeconds: Schema.optionalKey(
    JobTtl.annotate({
      description:
        "How long the job is kept after it ended; then it is gone, also when it could be run again. Unless said otherwise 90 days, and one with items that is not done for ever"
    })
  )
})

/** A line of a log, or its end with the status that the Deployment, Job or Run ended in. */
export const LogItem = Schema.Union([
  LogLine,
  Schema.Struct({
    seq: Schema.Int,
    end: Schema.Literal(true),
    status: Schema.Union([DeploymentStatus, JobStatus, RunStatus])
  })
])

/** The type of {@link LogItem}. */
export type LogItem = typeof LogItem.Type

/** Something that happened. `id` is the cursor to go on after; `subject` is the id of what it happened to. */
export const Event = Schema.Struct({ ...DomainEvent.fields, at: Schema.DateTimeUtcFromString }).annotate({
  identifier: "Event"
})

/** The type of {@link Event}. */
export interface Event extends Schema.Schema.Type<typeof Event> {}

/** That the server is up, what it was built from, and the schema that it needs. */
export const Health = Schema.Struct({ status: Schema.Literal("ok"), build: Schema.String, schemaVersion: Schema.Int })

/** That the server takes requests. */
export const Ready = Schema.Struct({ status: Schema.Literal("ready") })

/** Why the server does not take requests now. */
export const NotReady = Schema.Struct({ status: Schema.Literal("not_ready"), reasons: Schema.Array(Schema.String) })
