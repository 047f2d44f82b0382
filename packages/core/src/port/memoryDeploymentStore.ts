// The in-memory meaning of the DeploymentStore: the same rules that a database enforces, one synchronous step each.
import { Clock, DateTime, Duration, Effect } from "effect"
import { type AppId, type DeploymentId, ReleaseId } from "../domain/App.ts"
import { type DeploymentStatus, deploymentTransitions, isTerminal } from "../domain/Deployment.ts"
import { Fence, type LeaseTerms, type ReplicaId } from "../domain/Lease.ts"
import { cut, type PageRequest } from "../domain/Page.ts"
import type { Commit } from "../domain/Source.ts"
import type { JobCap, TenantName } from "../domain/Tenant.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import { AppGone } from "./AppStore.ts"
import { type AdmissionRequest, type Claim, type DeploymentOutcome, LeaseLost, StopRequested } from "./Claim.ts"
import { DeploymentNotFound, ReleaseNotFound } from "./DeploymentRequest.ts"
import type { DeploymentStore } from "./DeploymentStore.ts"
import { beginInMemory } from "./memoryBegin.ts"
import { askToStop, moved, positioned, unneededImages } from "./memoryDeployments.ts"
import { capOf, hasFreeSlot, holdsSlot, isBehind, isQueued, isReady, slotsTaken, waiting } from "./memorySlots.ts"
import { standingOf } from "./memoryStanding.ts"
import { appOf, type AppRow, type DeploymentRow, type MemoryTables } from "./MemoryState.ts"

/** Builds the store over the tables. */
export const makeMemory = (state: MemoryTables): typeof DeploymentStore.Service => {
  const get = Effect.fnUntraced(function* (id: DeploymentId) {
    const row = state.deployments.get(id)
    return row === undefined ? yield* new DeploymentNotFound({ deployment: id }) : positioned(state, row)
  })

  const list = (app: AppId, page: PageRequest) =>
    Effect.sync(() => {
      const before = page.cursor === undefined ? Number.POSITIVE_INFINITY : Number(page.cursor)
      const rows = [...state.deployments.values()]
        .filter((row) => row.deployment.app === app && row.position < before)
        .reverse()
      return cut(
        page,
        rows.slice(0, page.limit + 1),
        (row) => row.position,
        (row) => positioned(state, row)
      )
    })

  const claimed = (row: DeploymentRow, app: AppRow, request: AdmissionRequest, millis: number): Claim => {
    const fence = Fence.make(++app.lastFence)
    row.fence = fence
    row.replica = request.replica
    row.leaseUntil = millis + Duration.toMillis(request.terms.ttl)
    return {
      deployment: positioned(state, row),
      app: appOf(state, app),
      source: row.source,
      fence,
      replica: request.replica
    }
  }

  const admit = Effect.fnUntraced(function* (request: AdmissionRequest) {
    const now = yield* DateTime.now
    for (const row of state.deployments.values()) {
      const app = state.apps.get(row.deployment.app)
      if (!isReady(state, row) || app === undefined) continue
      if (request.deployment !== undefined && request.deployment !== row.deployment.id) continue
      if (!hasFreeSlot(state, app.app.tenant) || isBehind(state, app.app.tenant, row.position)) continue
      moved(state, now, row, { status: "building", startedAt: now })
      return claimed(row, app, request, DateTime.toEpochMillis(now))
    }
    return undefined
  })

  const withdraw = Effect.fnUntraced(function* (id: DeploymentId) {
    const now = yield* DateTime.now
    const row = state.deployments.get(id)
    if (row?.deployment.status === "queued") moved(state, now, row, { status: "cancelled", finishedAt: now })
  })

  const requestCancel = Effect.fnUntraced(function* (id: DeploymentId) {
    const now = yield* DateTime.now
    const row = state.deployments.get(id)
    if (row === undefined) return yield* new DeploymentNotFound({ deployment: id })
    if (isQueued(row)) return moved(state, now, row, { status: "cancelled", finishedAt: now })
    if (!isTerminal(row.deployment.status)) askToStop(row, "cancelled", now)
    return positioned(state, row)
  })

  const stopRequested = (claim: Claim) => Effect.sync(() => state.deployments.get(claim.deployment.id)?.stopAs)

  const unstopped = (claim: Claim, { stopAs }: DeploymentRow) =>
    stopAs === undefined ? Effect.void : new StopRequested({ deployment: claim.deployment.id, as: stopAs })

  const held = Effect.fnUntraced(function* (claim: Claim, to?: DeploymentStatus) {
    const row = state.deployments.get(claim.deployment.id)
    const status = row?.deployment.status
    if (row === undefined || status === undefined || isTerminal(status) || row.fence !== claim.fence) {
      return yield* new LeaseLost({ work: claim.deployment.id })
    }
    if (to !== undefined && !deploymentTransitions[status].includes(to)) {
      return yield* new LeaseLost({ work: claim.deployment.id })
    }
    return row
  })

  const renew = Effect.fnUntraced(function* (claim: Claim, terms: LeaseTerms) {
    const row = yield* held(claim)
    const millis = yield* Clock.currentTimeMillis
    if (row.leaseUntil <= millis) return yield* new LeaseLost({ work: claim.deployment.id })
    row.leaseUntil = millis + Duration.toMillis(terms.ttl)
  })

  const built = Effect.fnUntraced(function* (claim: Claim, image: ImageDigest, commit: Commit | null) {
    const now = yield* DateTime.now
    const row = yield* held(claim, "deploying")
    return moved(state, now, row, { status: "deploying", image, commit })
  })

  const liveApp = Effect.fnUntraced(function* (app: AppId) {
    const row = state.apps.get(app)
    return row?.app.status === "live" ? row : yield* new AppGone({ app })
  })

  const activate = Effect.fnUntraced(function* (claim: Claim) {
    const row = yield* held(claim, "healthy")
    yield* unstopped(claim, row)
    yield* liveApp(claim.app.id)
    if (!row.activated) row.since = yield* DateTime.now
    row.activated = true
  })

  const finish = Effect.fnUntraced(function* (claim: Claim, outcome: DeploymentOutcome) {
    const now = yield* DateTime.now
    const row = yield* held(claim, outcome.status)
    if (outcome.status !== "healthy") {
      const status = row.stopAs ?? outcome.status
      const error = outcome.status === "failed" && status === "failed" ? outcome.error : null
      return moved(state, now, row, { status, error, finishedAt: now })
    }
    const { image, commit, envRevision } = row.deployment
    yield* unstopped(claim, row)
    yield* liveApp(claim.app.id)
    if (image === null || !row.activated) return yield* new LeaseLost({ work: claim.deployment.id })
    const earlier = [...state.releases.values()].filter(({ release }) => release.app === claim.app.id)
    for (const other of earlier) other.release = { ...other.release, current: false }
    const release = {
      id: ReleaseId.make(`rel_${++state.sequence}`),
      app: claim.app.id,
      number: Math.max(0, ...earlier.map((row) => row.release.number)) + 1,
      image,
      envRevision,
      commit,
      createdAt: now,
      current: true
    }
    state.releases.set(release.id, { release, deployment: row.deployment.id })
    return moved(state, now, row, { status: "healthy", release: release.id, finishedAt: now })
  })

  const abandon = (replica: ReplicaId) =>
    Effect.sync(() => {
      for (const row of state.deployments.values()) {
        if (row.replica === replica && holdsSlot(row.deployment.status)) row.leaseUntil = 0
      }
    })

  const lost = (millis: number): ReadonlyArray<DeploymentRow> =>
    [...state.deployments.values()].filter((row) => holdsSlot(row.deployment.status) && row.leaseUntil <= millis)

  const abandoned = (limit: number) =>
    Effect.map(Clock.currentTimeMillis, (millis) =>
      lost(millis)
        .map(({ deployment }) => deployment.id)
        .slice(0, limit)
    )

  const claimAbandoned = Effect.fnUntraced(function* (request: AdmissionRequest, limit: number) {
    const millis = yield* Clock.currentTimeMillis
    return lost(millis)
      .filter((row) => request.deployment === undefined || request.deployment === row.deployment.id)
      .slice(0, limit)
      .flatMap((row) => {
        const app = state.apps.get(row.deployment.app)
        return app === undefined ? [] : [claimed(row, app, request, millis)]
      })
  })

  const releases = (app: AppId, page: PageRequest) =>
    Effect.sync(() => {
      const before = page.cursor === undefined ? Number.POSITIVE_INFINITY : Number(page.cursor)
      const rows = [...state.releases.values()]
        .filter(({ release }) => release.app === app && release.number < before)
        .reverse()
      return cut(
        page,
        rows.slice(0, page.limit + 1),
        ({ release }) => release.number,
        ({ release }) => release
      )
    })

  const release = Effect.fnUntraced(function* (app: AppId, id: ReleaseId) {
    const found = state.releases.get(id)?.release
    return found?.app === app ? found : yield* new ReleaseNotFound({ release: id })
  })

  const serving = Effect.sync(() =>
    [...state.releases.values()].flatMap(({ release, deployment }) => {
      const app = state.apps.get(release.app)
      const fence = state.deployments.get(deployment)?.fence
      if (!release.current || app?.app.status !== "live" || fence === undefined) return []
      const ended = [...state.deployments.values()].filter(
        (row) => row.deployment.app === release.app && isTerminal(row.deployment.status)
      )
      const routeFence = Fence.make(Math.max(...ended.map((row) => row.fence ?? 0)))
      return [{ app: appOf(state, app), release, deployment, fence, routeFence }]
    })
  )

  const standing = Effect.fnUntraced(function* (id: DeploymentId) {
    const now = yield* DateTime.now
    const row = state.deployments.get(id)
    if (row === undefined) return yield* new DeploymentNotFound({ deployment: id })
    const { tenant } = row
    return standingOf(state, row, now, { tenant, limit: capOf(state, tenant), running: slotsTaken(state, tenant) })
  })

  const usage = (tenant: TenantName) =>
    Effect.sync(() => ({
      tenant,
      jobCap: capOf(state, tenant),
      running: slotsTaken(state, tenant),
      queued: waiting(state, tenant).length
    }))

  const setCap = (tenant: TenantName, jobCap: JobCap) =>
    Effect.andThen(
      Effect.sync(() => state.caps.set(tenant, jobCap)),
      usage(tenant)
    )

  return {
    begin: beginInMemory(state),
    get,
    standing,
    list,
    admit,
    withdraw,
    requestCancel,
    stopRequested,
    renew,
    built,
    activate,
    finish,
    abandon,
    abandoned,
    claimAbandoned,
    releases,
    release,
    unneeded: (images, retain) => Effect.sync(() => unneededImages(state, images, retain)),
    serving,
    setCap,
    usage
  }
}
