// The in-memory meaning of the RetentionStore: what holds each class, and what goes with it.
import { Clock, DateTime, Duration, Effect } from "effect"
import type { App, AppId, DeploymentId } from "../domain/App.ts"
import { isTerminal } from "../domain/Deployment.ts"
import { isAfter } from "../domain/Event.ts"
import type { Revision } from "../domain/Env.ts"
import { hasEnded, isJobId, type JobId, type WorkId } from "../domain/Job.ts"
import type { RetentionKind, RetentionTerms, RetentionUsage, SweepKind } from "../domain/Retention.ts"
import * as Run from "../domain/Run.ts"
import { type JobRow, type LogRow, type MemoryTables } from "./MemoryState.ts"
import type { RunRow } from "./RunRequest.ts"
import type { RetentionStore } from "./RetentionStore.ts"

/** Something that is to go: its removal, which takes with it what belongs to it. */
type Removal = () => void

/** Builds the store over the tables. */
export const makeMemoryRetention = (state: MemoryTables): typeof RetentionStore.Service => {
  const isDeleted = (app: AppId | null): boolean => app !== null && state.apps.get(app)?.app.status === "deleted"

  const isNamed = (work: WorkId): boolean => [...state.intents.values()].some((intent) => intent.work === work)

  const forget = (work: WorkId): void => {
    for (const kind of ["deployment", "workload", "job"]) state.logs.delete(`${kind}/${work}`)
  }

  const reservations = (now: number): ReadonlyArray<Removal> =>
    [...state.reservations]
      .filter(([, { expiresAt }]) => expiresAt <= now)
      .map(
        ([key]) =>
          () =>
            state.reservations.delete(key)
      )

  const subscriptions = (cutoff: number): ReadonlyArray<Removal> =>
    [...state.subscriptions]
      .filter(([, { toldAt }]) => toldAt !== undefined && toldAt <= cutoff)
      .filter(([name]) => (state.leases.get(`subscriber/${name}`)?.until ?? 0) <= cutoff)
      .map(
        ([name]) =>
          () =>
            state.subscriptions.delete(name)
      )

  const events = (cutoff: number): ReadonlyArray<Removal> => {
    const isUntold = (id: (typeof state.events)[number]["id"]) =>
      [...state.subscriptions.values()].some(({ cursor }) => isAfter(id, cursor))
    return state.events
      .filter(({ at, id }) => DateTime.toEpochMillis(at) <= cutoff && !isUntold(id))
      .map((event) => () => state.events.splice(state.events.indexOf(event), 1))
  }

  /** Whether nothing more is said in a log. */
  const isOver = (name: string, log: LogRow): boolean => {
    const work = name.slice(name.indexOf("/") + 1)
    const isOverRun = ({ run }: RunRow) => `run/${run.id}` === name && Run.isOver(run.status)
    if (log.ended || [...state.runs.values()].some(isOverRun)) return true
    return isJobId(work) && hasEnded(state.jobs.get(work)?.job.status ?? "cancelled")
  }

  const logs = (cutoff: number): ReadonlyArray<Removal> =>
    [...state.logs].flatMap(([name, log]) => {
      const output = log.lines.findLast(({ stream }) => stream === "stdout" || stream === "stderr")
      // A Workload is read on from a time: what it said in the same millisecond stays with the last that it said.
      const kept =
        output === undefined ? log.lines.at(-1) : log.lines.find(({ at }) => !DateTime.isLessThan(at, output.at))
      const last = isOver(name, log) ? Number.POSITIVE_INFINITY : (kept?.seq ?? 0)
      const old = log.lines.filter(({ at, seq }) => DateTime.toEpochMillis(at) <= cutoff && seq < last)
      return old.map(({ seq }) => () => {
        log.lines.splice(0, log.lines.findIndex((line) => line.seq === seq) + 1)
        log.swept = seq
      })
    })

  const intents = (cutoff: number): ReadonlyArray<Removal> =>
    [...state.intents]
      .filter(([, { releasedAt }]) => releasedAt !== undefined && releasedAt <= cutoff)
      .map(
        ([name]) =>
          () =>
            state.intents.delete(name)
      )

  /** From when on a Job may go; never while it can be run again from where it stopped. */
  const goesAt = ({ job, ttlSeconds }: JobRow, age: Duration.Duration): number => {
    if (job.finishedAt === null || isNamed(job.id)) return Number.POSITIVE_INFINITY
    const ended = DateTime.toEpochMillis(job.finishedAt)
    if (ttlSeconds !== undefined) return ended + ttlSeconds * 1_000
    const isHeld = job.kind === "batch" && job.status !== "succeeded" && !isDeleted(job.app)
    return isHeld ? Number.POSITIVE_INFINITY : ended + Duration.toMillis(age)
  }

  const runs = (cutoff: number): ReadonlyArray<Removal> =>
    [...state.runs.values()]
      .filter(({ run }) => isBefore(run.finishedAt, cutoff) && run.cleanup === "done")
      .map(({ run }) => () => {
        state.runs.delete(run.id)
        state.logs.delete(`run/${run.id}`)
      })

  const isOfRun = (job: JobId): boolean => [...state.runs.values()].some((row) => row.job === job)

  const jobs = (age: Duration.Duration, now: number): ReadonlyArray<Removal> =>
    [...state.jobs.values()]
      .filter((row) => goesAt(row, age) <= now && !isOfRun(row.job.id))
      .map(({ job }) => () => {
        state.jobs.delete(job.id)
        forget(job.id)
      })

  /** Traffic is led under the last Fence that a Deployment ended with: one that went would make that a Fence of long ago. */
  const hasLastFence = (id: DeploymentId): boolean => {
    const row = state.deployments.get(id)
    if (row?.fence === undefined) return false
    const { deployment, fence } = row
    return ![...state.deployments.values()].some(
      (other) =>
        other.deployment.app === deployment.app && isTerminal(other.deployment.status) && (other.fence ?? 0) > fence
    )
  }

  const deployments = (cutoff: number): ReadonlyArray<Removal> => {
    const all = [...state.deployments.values()].map(({ deployment }) => deployment)
    const isNewest = ({ app, number }: (typeof all)[number]) =>
      !all.some((other) => other.app === app && other.number > number)
    const isKept = (deployment: (typeof all)[number]) => isNewest(deployment) || hasLastFence(deployment.id)
    return all
      .filter(({ finishedAt, status }) => isTerminal(status) && status !== "healthy" && isBefore(finishedAt, cutoff))
      .filter((deployment) => !isNamed(deployment.id) && (!isKept(deployment) || isDeleted(deployment.app)))
      .map(({ id }) => () => {
        state.deployments.delete(id)
        forget(id)
      })
  }

  const releases = (cutoff: number, newest: number): ReadonlyArray<Removal> => {
    const all = [...state.releases.values()]
    const isKept = ({ deployment, release }: (typeof all)[number]) =>
      release.current ||
      hasLastFence(deployment) ||
      all.filter((other) => other.release.app === release.app && other.release.number > release.number).length < newest
    const active = [...state.deployments.values()].filter(({ deployment }) => !isTerminal(deployment.status))
    const names = new Set([
      ...[...state.jobs.values()].map(({ of }) => of?.release),
      ...active.map(({ ofRelease }) => ofRelease)
    ])
    return all
      .filter((row) => isBefore(row.release.createdAt, cutoff) && (!isKept(row) || isDeleted(row.release.app)))
      .filter(({ deployment, release }) => !names.has(release.id) && !isNamed(deployment))
      .map(({ deployment, release }) => () => {
        state.releases.delete(release.id)
        state.deployments.delete(deployment)
        forget(deployment)
      })
  }

  /** The first Revision of an App that is still needed; those before it may be gone once one after them holds them all. */
  const firstNeeded = (app: AppId): number =>
    Math.min(
      state.revisions.get(app)?.at(-1)?.revision ?? 0,
      ...[...state.releases.values()]
        .filter(({ release }) => release.app === app)
        .map((row) => row.release.envRevision),
      ...[...state.deployments.values()]
        .filter(({ deployment }) => deployment.app === app && !isTerminal(deployment.status))
        .map(({ deployment }) => deployment.envRevision)
    )

  const revisions = (cutoff: number): ReadonlyArray<Removal> =>
    [...state.revisions].flatMap(([app, rows]) => {
      const needed = isDeleted(app) ? Number.POSITIVE_INFINITY : firstNeeded(app)
      return rows
        .filter(({ at, revision }) => revision < needed && DateTime.toEpochMillis(at) <= cutoff)
        .map((row) => () => fold(state, app, row.revision))
    })

  const apps = (cutoff: number): ReadonlyArray<Removal> => {
    const hasLeft = ({ id }: App): boolean =>
      [...state.deployments.values()].some(({ deployment }) => deployment.app === id) ||
      [...state.jobs.values()].some(({ job }) => job.app === id) ||
      (state.revisions.get(id)?.length ?? 0) > 0
    return [...state.apps.values()]
      .filter(({ app }) => app.status === "deleted" && isBefore(app.updatedAt, cutoff) && !hasLeft(app))
      .map(({ app }) => () => {
        for (const table of [state.apps, state.revisions, state.routes, state.routeStates]) table.delete(app.id)
      })
  }

  const removals = (kind: SweepKind, { age, newest }: RetentionTerms, now: number): ReadonlyArray<Removal> => {
    const cutoff = now - Duration.toMillis(age)
    const of = { subscriptions, events, logs, intents, runs, deployments, revisions, apps }
    if (kind === "reservations") return reservations(now)
    if (kind === "jobs") return jobs(age, now)
    return kind === "releases" ? releases(cutoff, newest) : of[kind](cutoff)
  }

  return {
    sweep: (kind, terms, limit) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const removed = removals(kind, terms, now).slice(0, limit)
        for (const remove of removed) remove()
        return removed.length
      }),
    usage: Effect.sync(() => usageOf(state))
  }
}

const isBefore = (at: DateTime.Utc | null, cutoff: number): boolean =>
  at !== null && DateTime.toEpochMillis(at) <= cutoff

/** Removes a Revision; what it has changed is from then on a part of the next one. */
const fold = (state: MemoryTables, app: AppId, revision: Revision): void => {
  const rows = state.revisions.get(app) ?? []
  const [at, row] = [
    rows.findIndex((other) => other.revision === revision),
    rows.find((other) => other.revision === revision)
  ]
  const next = rows[at + 1]
  if (row !== undefined && next !== undefined) {
    rows[at + 1] = { ...next, change: new Map([...row.change, ...next.change]) }
  }
  rows.splice(at, 1)
}

const usageOf = (state: MemoryTables): { readonly [K in RetentionKind]: RetentionUsage } => {
  const counted = (...tables: ReadonlyArray<{ readonly size: number }>): RetentionUsage => ({
    rows: tables.reduce((sum, { size }) => sum + size, 0),
    bytes: null
  })
  const sum = (numbers: ReadonlyArray<number>) => ({ size: numbers.reduce((all, one) => all + one, 0) })
  const items = sum([...state.jobs.values()].map((row) => row.items.length))
  const lines = sum([...state.logs.values()].map((log) => log.lines.length))
  return {
    reservations: counted(state.reservations),
    subscriptions: counted(state.subscriptions),
    events: counted({ size: state.events.length }),
    logs: counted(state.logs, lines),
    intents: counted(state.intents),
    runs: counted(state.runs),
    jobs: counted(state.jobs, items),
    deployments: counted(state.deployments),
    releases: counted(state.releases),
    revisions: counted(sum([...state.revisions.values()].map((rows) => rows.length))),
    apps: counted(state.apps, state.routes),
    slots: counted({ size: [...state.jobs.values()].filter(({ job }) => job.status === "running").length }),
    subnets: counted(state.subnets, state.resting),
    tenants: counted(state.caps),
    installation: counted(state.leases)
  }
}
