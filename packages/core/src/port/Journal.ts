// What is about to be created, written before it is created, so that anyone can release it after a crash.
import { Clock, Context, Effect, Layer } from "effect"
import type { AppId, DeploymentId } from "../domain/App.ts"
import type { DeploymentStatus } from "../domain/Deployment.ts"
import { isJobId, type JobId, type WorkId } from "../domain/Job.ts"
import type { Fence, ReplicaId } from "../domain/Lease.ts"
import type { Workload, WorkloadName } from "../domain/Workload.ts"
import { LeaseLost } from "./Claim.ts"
import { deploymentRow, type IntentRow, jobRow, MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** An intent to start a Workload for a Deployment or a Job, by whom, and the Workload once it is known. */
export interface Intent<Work extends WorkId = WorkId> {
  readonly name: WorkloadName
  readonly app: AppId
  readonly work: Work
  readonly fence: Fence
  readonly replica: ReplicaId
  readonly workload: Workload | null
}

/** Keeps intents until what they made is released. */
export class Journal extends Context.Service<
  Journal,
  {
    /**
     * Records what is about to be created. Refused when the Deployment or the Job has a newer Fence, when the Deployment has
     * ended and its App is not live, when the Job does not run, and when the name is that of another intent.
     */
    readonly intend: (intent: Omit<Intent, "workload">) => Effect.Effect<void, LeaseLost | StoreError>
    /** Records what was created under an intent. */
    readonly confirm: (workload: Workload) => Effect.Effect<void, StoreError>
    /** Records that nothing of the intent is left. Repeating it changes nothing. */
    readonly released: (name: WorkloadName) => Effect.Effect<void, StoreError>
    /** The intents of an App's Deployments that are not released, oldest first. */
    readonly held: (app: AppId) => Effect.Effect<ReadonlyArray<Intent<DeploymentId>>, StoreError>
    /** The intents for Deployments of a replica that are not released, oldest first. */
    readonly heldBy: (replica: ReplicaId) => Effect.Effect<ReadonlyArray<Intent<DeploymentId>>, StoreError>
    /** The intents of a Job that are not released, oldest first. */
    readonly heldFor: (job: JobId) => Effect.Effect<ReadonlyArray<Intent<JobId>>, StoreError>
    /**
     * Intents that are not released and whose Deployment is neither in progress nor serving, or whose Job does not run under
     * their Fence: nobody owns what they made. Which of them are answered first is left to chance, so that some that cannot
     * be released do not keep others waiting.
     */
    readonly unowned: (limit: number) => Effect.Effect<ReadonlyArray<Intent>, StoreError>
    /** Those of some names that no intent has which is not released: whatever bears them is nobody's. */
    readonly unknown: (names: ReadonlyArray<WorkloadName>) => Effect.Effect<ReadonlyArray<WorkloadName>, StoreError>
  }
>()("@lockkeeper/core/port/Journal") {
  /** Intents in memory. */
  static readonly layerMemory: Layer.Layer<Journal, never, MemoryState> = Layer.effect(
    Journal,
    Effect.gen(function* () {
      const state = yield* MemoryState

      const open = (predicate: (row: IntentRow) => boolean): ReadonlyArray<Intent> =>
        [...state.intents.values()]
          .filter((row) => !row.released && predicate(row))
          .map(({ released: _, releasedAt: __, ...row }) => row)

      const ofDeployments = (predicate: (row: IntentRow) => boolean): ReadonlyArray<Intent<DeploymentId>> =>
        open(predicate).flatMap(({ work, ...intent }) => (isJobId(work) ? [] : [{ ...intent, work }]))

      const isInProgress = (status: DeploymentStatus | undefined): boolean =>
        status === "building" || status === "deploying"

      const isLive = (app: AppId): boolean => state.apps.get(app)?.app.status === "live"

      const isRunning = ({ fence, work }: Pick<IntentRow, "fence" | "work">): boolean => {
        const row = jobRow(state, work)
        return row?.job.status === "running" && row.fence === fence
      }

      const isOwned = (row: IntentRow): boolean => {
        if (isJobId(row.work)) return isRunning(row)
        const status = deploymentRow(state, row.work)?.deployment.status
        const serves = [...state.releases.values()].some(
          ({ deployment, release }) => deployment === row.work && release.current
        )
        return isInProgress(status) || (serves && isLive(row.app))
      }

      const isWanted = (intent: Omit<Intent, "workload">): boolean => {
        if (isJobId(intent.work)) return isRunning(intent)
        const row = deploymentRow(state, intent.work)
        return row?.fence === intent.fence && (isInProgress(row.deployment.status) || isLive(intent.app))
      }

      const intend = Effect.fnUntraced(function* (intent: Omit<Intent, "workload">) {
        const { fence, name, work } = intent
        const earlier = state.intents.get(name)
        const isTaken = earlier !== undefined && (earlier.work !== work || earlier.fence !== fence)
        if (isTaken || !isWanted(intent)) return yield* new LeaseLost({ work })
        state.intents.set(intent.name, { ...intent, workload: null, released: false })
      })

      return Journal.of({
        intend,
        confirm: (workload) =>
          Effect.sync(() => {
            const row = state.intents.get(workload.name)
            if (row !== undefined) row.workload = workload
          }),
        released: (name) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const row = state.intents.get(name)
            if (row === undefined || row.released) return
            row.released = true
            row.releasedAt = now
          }),
        held: (app) => Effect.sync(() => ofDeployments((row) => row.app === app)),
        heldBy: (replica) => Effect.sync(() => ofDeployments((row) => row.replica === replica)),
        heldFor: (job) =>
          Effect.sync(() => open((row) => row.work === job).map((intent) => ({ ...intent, work: job }))),
        unowned: (limit) => Effect.sync(() => open((row) => !isOwned(row)).slice(0, limit)),
        unknown: (names) => Effect.sync(() => names.filter((name) => state.intents.get(name)?.released !== false))
      })
    })
  )
}
