// Which problem each of the core's errors becomes, and what of another Tenant's things is shown: nothing.
import { Effect, Option, Schema } from "effect"
import type { App, AppStatus } from "@lockkeeper/core/domain/App"
import { AppId } from "@lockkeeper/core/domain/App"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { type AppGone, type AppNotLive, AppStore } from "@lockkeeper/core/port/AppStore"
import type { DeploymentRefused } from "@lockkeeper/core/port/DeploymentRequest"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Caller } from "../api/Authorization.ts"
import * as Problems from "../api/Problems.ts"

/** Whether the caller may see what belongs to a Tenant. */
export const maySee = Effect.fnUntraced(function* (tenant: string): Effect.fn.Return<void, Problems.NotFound, Caller> {
  const caller = yield* Caller
  if (caller.tenant !== "*" && caller.tenant !== tenant) return yield* notFound()
})

/** The Tenant whose things are to be listed: the one that is asked for, if the caller may see it; undefined for all. */
export const listedTenant = Effect.fnUntraced(function* (
  asked: string | undefined
): Effect.fn.Return<TenantName | undefined, Problems.NotFound, Caller> {
  const caller = yield* Caller
  if (asked === undefined) return caller.tenant === "*" ? undefined : caller.tenant
  const tenant = Schema.decodeOption(TenantName)(asked)
  if (Option.isNone(tenant)) return yield* notFound()
  yield* maySee(tenant.value)
  return tenant.value
})

/** The App of a path, when the caller may see it. */
export const visibleApp = Effect.fnUntraced(function* (
  id: string
): Effect.fn.Return<App, Problems.NotFound | Problems.StoreUnavailable, AppStore | Caller> {
  const store = yield* AppStore
  const app = yield* Option.match(Schema.decodeOption(AppId)(id), {
    onNone: () => Effect.fail(notFound()),
    onSome: (known) => store.get(known).pipe(Effect.catchTags({ AppGone: gone, StoreError: unavailable }))
  })
  yield* maySee(app.tenant)
  return app
})

/** 404, the same for what is missing and for what is another Tenant's. */
export const notFound = (): Problems.NotFound => new Problems.NotFound({ detail: "there is no such thing" })

/** An App that is gone is not found. */
export const gone = (_: AppGone): Effect.Effect<never, Problems.NotFound> => Effect.fail(notFound())

/** An App that is not live, with its status. */
export const notLive = ({ status }: Pick<AppNotLive, "status">): Effect.Effect<never, Problems.AppNotLive> =>
  Effect.fail(new Problems.AppNotLive({ detail: `the app is ${status}`, appStatus: status }))

/** A store that did not do its part; the log has the cause, the answer has not. */
export const unavailable = (error: StoreError): Effect.Effect<never, Problems.StoreUnavailable> =>
  Effect.logError("the store failed a request", error).pipe(
    Effect.andThen(Effect.fail(new Problems.StoreUnavailable({ detail: "the store did not answer; try again" })))
  )

/** Why a Deployment did not begin, whatever it is made from. */
const refusedAnyhow = ({ reason }: DeploymentRefused) => {
  switch (reason._tag) {
    case "AppGone":
      return Effect.fail(notFound())
    case "DeploymentInProgress":
      return Effect.fail(
        new Problems.DeploymentInProgress({
          detail: `${reason.activeDeployment} is in progress`,
          activeDeployment: reason.activeDeployment
        })
      )
    case "RevisionMismatch":
      return Effect.fail(
        new Problems.RevisionMismatch({ detail: `the env is at revision ${reason.actual}`, actual: reason.actual })
      )
    case "QueueFull":
      return Effect.fail(
        new Problems.QueueFull({ detail: `${reason.limit} deployments wait already`, limit: reason.limit })
      )
    case "AppNotLive":
    case "AppNotStopped":
    case "NoRelease":
    case "NoSource":
      return Effect.die(new Error(`a deployment was refused with ${reason._tag}`))
  }
}

/** Why a Deployment from a Source did not begin. */
export const refused = (error: DeploymentRefused) => {
  const { reason } = error
  switch (reason._tag) {
    case "AppNotLive":
      return notLive(reason)
    case "NoSource":
      return Effect.fail(new Problems.NoSource({ detail: "neither the request nor the app has a source" }))
    default:
      return refusedAnyhow(error)
  }
}

/** Why a Deployment of the current Release did not begin. */
export const refusedAgain = (error: DeploymentRefused) => {
  const { reason } = error
  switch (reason._tag) {
    case "AppNotLive":
      return Effect.fail(notRedeployable(reason.status))
    case "NoRelease":
      return Effect.fail(noRelease())
    default:
      return refusedAnyhow(error)
  }
}

/** Why a stopped App was not started; one that somebody else has just started is as it should be. */
export const refusedStart = (error: DeploymentRefused) => {
  const { reason } = error
  switch (reason._tag) {
    case "AppNotStopped":
      if (reason.status === "live") return Effect.void
      return Effect.fail(
        new Problems.AppNotStopped({ detail: `the app is ${reason.status}`, appStatus: reason.status })
      )
    case "NoRelease":
      return Effect.fail(noRelease())
    default:
      return refusedAnyhow(error)
  }
}

/** Why a Rollback did not begin. */
export const refusedRollback = (error: DeploymentRefused) => {
  const { reason } = error
  switch (reason._tag) {
    case "AppNotLive":
      return Effect.fail(notRedeployable(reason.status))
    case "NoRelease":
      return Effect.fail(notFound())
    default:
      return refusedAnyhow(error)
  }
}

const notRedeployable = (status: AppStatus): Problems.NotRedeployable =>
  new Problems.NotRedeployable({ detail: `the app is ${status}`, appStatus: status })

/** An App that has nothing to run yet. */
export const noRelease = (): Problems.NoRelease =>
  new Problems.NoRelease({ detail: "no deployment of the app has been healthy yet" })
