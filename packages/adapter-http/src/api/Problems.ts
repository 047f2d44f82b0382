// Every error that the API answers, as an RFC 9457 problem document: `code` is what programs act on, and the other fields
// help to act. 429 and 503 carry `Retry-After`. Not here: which of the core's errors becomes which problem
// (handlers/outcomes.ts).
import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"
import { AppStatus, DeploymentId } from "@lockkeeper/core/domain/App"
import { DeploymentStatus } from "@lockkeeper/core/domain/Deployment"
import { JobStatus } from "@lockkeeper/core/domain/Job"
import { Revision } from "@lockkeeper/core/domain/Env"

/** The type of a problem, by its code. */
export const urn = <const Code extends string>(code: Code): `urn:lockkeeper:problem:${Code}` =>
  `urn:lockkeeper:problem:${code}`

/** What every problem has besides what RFC 9457 asks for. */
export const members = <const Code extends string>(code: Code) => ({
  code: Schema.tag(code),
  requestId: Schema.optionalKey(Schema.String)
})

/** 401: the bearer token is missing or wrong. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  { type: urn("unauthorized"), status: 401, title: "Unauthorized" },
  members("unauthorized")
) {}

/** 404: there is no such thing, or it is another Tenant's. */
export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type: urn("not_found"), status: 404, title: "Not Found" },
  members("not_found")
) {}

/** 400: the body or a parameter is not what the route takes. */
export class InvalidBody extends HttpApiError.Problem<InvalidBody>()(
  "InvalidBody",
  { type: urn("invalid_body"), status: 400, title: "Invalid Body" },
  members("invalid_body")
) {}

/** 409: the idempotency key was used for another request. */
export class IdempotencyKeyReused extends HttpApiError.Problem<IdempotencyKeyReused>()(
  "IdempotencyKeyReused",
  { type: urn("idempotency_key_reused"), status: 409, title: "Idempotency Key Reused" },
  members("idempotency_key_reused")
) {}

/** 409: the first request with this idempotency key is in progress. */
export class IdempotencyInProgress extends HttpApiError.Problem<IdempotencyInProgress>()(
  "IdempotencyInProgress",
  { type: urn("idempotency_in_progress"), status: 409, title: "Idempotency In Progress" },
  members("idempotency_in_progress")
) {}

/** 403: the token is not one for every tenant. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  { type: urn("forbidden"), status: 403, title: "Forbidden" },
  members("forbidden")
) {}

/** 400: the cap is neither a whole number from 0 to 10000 nor null. */
export class InvalidJobCap extends HttpApiError.Problem<InvalidJobCap>()(
  "InvalidJobCap",
  { type: urn("invalid_job_cap"), status: 400, title: "Invalid Job Cap" },
  members("invalid_job_cap")
) {}

/** 400: the source is not one that is accepted. */
export class InvalidSource extends HttpApiError.Problem<InvalidSource>()(
  "InvalidSource",
  { type: urn("invalid_source"), status: 400, title: "Invalid Source" },
  members("invalid_source")
) {}

/** 409: the Tenant has an App of this name. */
export class AppNameTaken extends HttpApiError.Problem<AppNameTaken>()(
  "AppNameTaken",
  { type: urn("app_name_taken"), status: 409, title: "App Name Taken" },
  { ...members("app_name_taken"), name: Schema.String }
) {}

/** 409: the App is not live. */
export class AppNotLive extends HttpApiError.Problem<AppNotLive>()(
  "AppNotLive",
  { type: urn("app_not_live"), status: 409, title: "App Not Live" },
  { ...members("app_not_live"), appStatus: AppStatus }
) {}

/** 409: the App is not stopped, so that it cannot be started. */
export class AppNotStopped extends HttpApiError.Problem<AppNotStopped>()(
  "AppNotStopped",
  { type: urn("app_not_stopped"), status: 409, title: "App Not Stopped" },
  { ...members("app_not_stopped"), appStatus: AppStatus }
) {}

/** 409: the App is not live, so that what it runs is not deployed again. */
export class NotRedeployable extends HttpApiError.Problem<NotRedeployable>()(
  "NotRedeployable",
  { type: urn("not_redeployable"), status: 409, title: "Not Redeployable" },
  { ...members("not_redeployable"), appStatus: AppStatus }
) {}

/** 409: no Deployment of the App has been healthy yet. */
export class NoRelease extends HttpApiError.Problem<NoRelease>()(
  "NoRelease",
  { type: urn("no_release"), status: 409, title: "No Release" },
  members("no_release")
) {}

/** 409: the image of the Release is not there any more. */
export class ImageGone extends HttpApiError.Problem<ImageGone>()(
  "ImageGone",
  { type: urn("image_gone"), status: 409, title: "Image Gone" },
  members("image_gone")
) {}

/** 503: the engine that runs Apps did not answer; nothing began. */
export class EngineUnavailable extends HttpApiError.Problem<EngineUnavailable>()(
  "EngineUnavailable",
  { type: urn("engine_unavailable"), status: 503, title: "Engine Unavailable" },
  members("engine_unavailable")
) {}

/** 409: the Deployment has ended, and not by being cancelled. */
export class AlreadyTerminal extends HttpApiError.Problem<AlreadyTerminal>()(
  "AlreadyTerminal",
  { type: urn("already_terminal"), status: 409, title: "Already Terminal" },
  { ...members("already_terminal"), deploymentStatus: DeploymentStatus }
) {}

/** 409: the Job has ended, and not by being cancelled. */
export class JobAlreadyTerminal extends HttpApiError.Problem<JobAlreadyTerminal>()(
  "JobAlreadyTerminal",
  { type: urn("already_terminal"), status: 409, title: "Already Terminal" },
  { ...members("already_terminal"), jobStatus: JobStatus }
) {}

/** 409: the Job waits or runs. */
export class AlreadyRunning extends HttpApiError.Problem<AlreadyRunning>()(
  "AlreadyRunning",
  { type: urn("already_running"), status: 409, title: "Already Running" },
  members("already_running")
) {}

/** 409: the Job has succeeded. */
export class NothingToDo extends HttpApiError.Problem<NothingToDo>()(
  "NothingToDo",
  { type: urn("nothing_to_do"), status: 409, title: "Nothing To Do" },
  members("nothing_to_do")
) {}

/** 409: the App is being deleted. */
export class AppDeleting extends HttpApiError.Problem<AppDeleting>()(
  "AppDeleting",
  { type: urn("app_deleting"), status: 409, title: "App Deleting" },
  members("app_deleting")
) {}

/** 409: another Deployment of the App is active, and the policy is to refuse. */
export class DeploymentInProgress extends HttpApiError.Problem<DeploymentInProgress>()(
  "DeploymentInProgress",
  { type: urn("deployment_in_progress"), status: 409, title: "Deployment In Progress" },
  { ...members("deployment_in_progress"), activeDeployment: DeploymentId }
) {}

/** 409: neither the request nor the App has a source. */
export class NoSource extends HttpApiError.Problem<NoSource>()(
  "NoSource",
  { type: urn("no_source"), status: 409, title: "No Source" },
  members("no_source")
) {}

/** 412: the Env is at another revision, or at an older one than asked. */
export class RevisionMismatch extends HttpApiError.Problem<RevisionMismatch>()(
  "RevisionMismatch",
  { type: urn("revision_mismatch"), status: 412, title: "Revision Mismatch" },
  { ...members("revision_mismatch"), actual: Revision }
) {}

/** 428: all of an Env is replaced only at the revision that `If-Match` names. */
export class IfMatchRequired extends HttpApiError.Problem<IfMatchRequired>()(
  "IfMatchRequired",
  { type: urn("if_match_required"), status: 428, title: "If-Match Required" },
  members("if_match_required")
) {}

/** 400: the body has no `env`. */
export class MissingEnv extends HttpApiError.Problem<MissingEnv>()(
  "MissingEnv",
  { type: urn("missing_env"), status: 400, title: "Missing Env" },
  members("missing_env")
) {}

/** 400: a key is not the name of a variable. */
export class InvalidEnvKey extends HttpApiError.Problem<InvalidEnvKey>()(
  "InvalidEnvKey",
  { type: urn("invalid_env_key"), status: 400, title: "Invalid Env Key" },
  { ...members("invalid_env_key"), key: Schema.String }
) {}

/** 400: a value is not one; `key` says whose. */
export class InvalidEnvValue extends HttpApiError.Problem<InvalidEnvValue>()(
  "InvalidEnvValue",
  { type: urn("invalid_env_value"), status: 400, title: "Invalid Env Value" },
  { ...members("invalid_env_value"), key: Schema.String }
) {}

/** 413: the Env would be too large. Sizes are bytes. */
export class EnvTooLarge extends HttpApiError.Problem<EnvTooLarge>()(
  "EnvTooLarge",
  { type: urn("env_too_large"), status: 413, title: "Env Too Large" },
  { ...members("env_too_large"), limit: Schema.Int, actual: Schema.Int }
) {}

/** 429: the Tenant has no free Slot. */
export class JobCapReached extends HttpApiError.Problem<JobCapReached>()(
  "JobCapReached",
  { type: urn("job_cap_reached"), status: 429, title: "Job Cap Reached" },
  { ...members("job_cap_reached"), limit: Schema.Int, running: Schema.Int }
) {}

/** 429: too much of the Tenant waits already. */
export class QueueFull extends HttpApiError.Problem<QueueFull>()(
  "QueueFull",
  { type: urn("queue_full"), status: 429, title: "Queue Full" },
  { ...members("queue_full"), limit: Schema.Int }
) {}

/** 503: somebody else is changing this Env. */
export class EnvBusy extends HttpApiError.Problem<EnvBusy>()(
  "EnvBusy",
  { type: urn("env_busy"), status: 503, title: "Env Busy" },
  members("env_busy")
) {}

/** 503: the database did not do its part; nothing is known to have changed. */
export class StoreUnavailable extends HttpApiError.Problem<StoreUnavailable>()(
  "StoreUnavailable",
  { type: urn("store_unavailable"), status: 503, title: "Store Unavailable" },
  members("store_unavailable")
) {}

/** 503: no host port is free for another App. */
export class PortsExhausted extends HttpApiError.Problem<PortsExhausted>()(
  "PortsExhausted",
  { type: urn("ports_exhausted"), status: 503, title: "Ports Exhausted" },
  members("ports_exhausted")
) {}
