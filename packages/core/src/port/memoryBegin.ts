// The in-memory meaning of beginning a Deployment: one synchronous step, as one transaction is.
import { DateTime, Effect } from "effect"
import { type App, type AppId, DeploymentId } from "../domain/App.ts"
import type { Deployment } from "../domain/Deployment.ts"
import { choose, decide } from "../domain/Policy.ts"
import { atRef, open } from "../domain/Source.ts"
import { DeploymentRefused, type DeploymentRequest, queueLimit } from "./DeploymentRequest.ts"
import { askToStop, moved, positioned } from "./memoryDeployments.ts"
import { isQueued, ofTenant } from "./memorySlots.ts"
import { activeDeployments, appOf, type AppRow, type DeploymentRow, type MemoryTables, publish } from "./MemoryState.ts"

const refuse = (reason: DeploymentRefused["reason"]) => new DeploymentRefused({ reason })

/** Builds `begin` over the tables. */
export const beginInMemory = (state: MemoryTables) =>
  Effect.fnUntraced(function* (request: DeploymentRequest) {
    const now = yield* DateTime.now
    const row = state.apps.get(request.app)
    if (row === undefined || row.app.status === "deleted") return yield* refuse({ _tag: "AppGone", app: request.app })
    const earlier = deliveredBefore(state, request)
    if (earlier !== undefined) return { deployment: positioned(state, earlier), created: false }
    const app = appOf(state, row)
    const { id, status } = app
    const isStart = request.trigger.kind === "start"
    if (isStart && status !== "stopped") return yield* refuse({ _tag: "AppNotStopped", app: id, status })
    if (!isStart && status !== "live") return yield* refuse({ _tag: "AppNotLive", app: id, status })

    const origin = yield* originOf(state, app, row, request)
    if (app.envRevision < (request.minEnvRevision ?? 0)) {
      return yield* refuse({ _tag: "RevisionMismatch", actual: app.envRevision })
    }
    const policy = choose(request.policy, app.policy, request.trigger)
    const decision = decide(policy, activeDeployments(state, app.id))
    if (decision.decision === "reject") {
      return yield* refuse({ _tag: "DeploymentInProgress", activeDeployment: decision.active.deployment.id })
    }
    const { displaced, stopped } = decision
    const waiting = ofTenant(state, app.tenant).filter((other) => isQueued(other) && other !== displaced)
    if (waiting.length >= queueLimit) return yield* refuse({ _tag: "QueueFull", limit: queueLimit })
    if (displaced !== undefined) moved(state, now, displaced, { status: "superseded", finishedAt: now })
    if (stopped !== undefined) askToStop(stopped, "superseded", now)
    if (isStart) {
      row.app = { ...row.app, status: "live", updatedAt: now }
      publish(state, now, "app.live", app, app.id)
    }

    const position = ++state.sequence
    const { ofRelease, source, ...rest } = origin
    const deployment: Deployment = {
      id: DeploymentId.make(`dep_${position}`),
      app: app.id,
      number: nextNumber(state, app.id),
      status: "queued",
      trigger: request.trigger,
      policy,
      source: open(source),
      ...rest,
      release: null,
      queuePosition: null,
      error: null,
      cancelling: false,
      createdAt: now,
      startedAt: null,
      finishedAt: null
    }
    const begun: DeploymentRow = {
      deployment,
      tenant: app.tenant,
      position,
      source,
      ofRelease,
      fence: undefined,
      replica: undefined,
      leaseUntil: 0,
      activated: false,
      since: now,
      stopAs: undefined,
      stopRequestedAt: undefined
    }
    state.deployments.set(deployment.id, begun)
    return { deployment: moved(state, now, begun, {}), created: true }
  })

/** Numbers go on after Deployments that were swept: the newest one never is. */
const nextNumber = (state: MemoryTables, app: AppId): number => {
  let last = 0
  for (const { deployment } of state.deployments.values()) {
    if (deployment.app === app) last = Math.max(last, deployment.number)
  }
  return last + 1
}

const deliveredBefore = (
  state: MemoryTables,
  { app, trigger: { deliveryId } }: DeploymentRequest
): DeploymentRow | undefined =>
  deliveryId === undefined
    ? undefined
    : [...state.deployments.values()].find(
        ({ deployment }) => deployment.app === app && deployment.trigger.deliveryId === deliveryId
      )

/** What a Deployment is made from: a Source that is to be built, or a Release that was. */
const originOf = Effect.fnUntraced(function* (
  state: MemoryTables,
  app: App,
  row: AppRow,
  { ref, release: asked, source }: DeploymentRequest
) {
  if (asked === undefined) {
    const built = atRef(source ?? row.source, ref)
    if (built === undefined) return yield* refuse({ _tag: "NoSource", app: app.id })
    return { source: built, ofRelease: undefined, commit: null, image: null, envRevision: app.envRevision }
  }
  const id = asked === "current" ? app.currentRelease : asked
  const found = id === null ? undefined : state.releases.get(id)
  const made = found === undefined ? undefined : state.deployments.get(found.deployment)
  if (found === undefined || made === undefined || found.release.app !== app.id) {
    return yield* refuse({ _tag: "NoRelease", app: app.id })
  }
  const { commit, envRevision, id: ofRelease, image } = found.release
  const revision = asked === "current" ? app.envRevision : envRevision
  return { source: made.source, ofRelease, commit, image, envRevision: revision }
})
