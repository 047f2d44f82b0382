// Every error that the API answers, as an RFC 9457 problem document: `code` is what programs act on, and the other fields
// help to act. 429 and 503 carry `Retry-After`. Not here: which of the core's errors becomes which problem
// (handlers/outcomes.ts).
import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"
import { AppStatus, DeploymentId } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"

const urn = <const Code extends string>(code: Code): `urn:lockkeeper:problem:${Code}` =>
  `urn:lockkeeper:problem:${code}`

const members = <const Code extends string>(code: Code) => ({
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

/** 400: idempotency keys are not supported yet. */
export class IdempotencyUnsupported extends HttpApiError.Problem<IdempotencyUnsupported>()(
  "IdempotencyUnsupported",
  { type: urn("idempotency_unsupported"), status: 400, title: "Idempotency Keys Are Not Supported" },
  members("idempotency_unsupported")
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

/** 429: too many Deployments of the Tenant wait already. */
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
