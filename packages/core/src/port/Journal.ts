// What is about to be created, written before it is created, so that anyone can release it after a crash.
import { Context, Effect, Layer } from "effect"
import type { AppId, DeploymentId } from "../domain/App.ts"
import type { DeploymentStatus } from "../domain/Deployment.ts"
import type { Fence, ReplicaId } from "../domain/Lease.ts"
import type { Workload, WorkloadName } from "../domain/Workload.ts"
import { LeaseLost } from "./Claim.ts"
import { type IntentRow, MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** An intent to start a Workload, by whom, and the Workload once it is known. */
export interface Intent {
  readonly name: WorkloadName
  readonly app: AppId
  readonly deployment: DeploymentId
  readonly fence: Fence
  readonly replica: ReplicaId
  readonly workload: Workload | null
}

/** Keeps intents until what they made is released. */
export class Journal extends Context.Service<
  Journal,
  {
    /**
     * Records what is about to be created. Refused when the Deployment has a newer Fence, when it has ended and its App is not
     * live, and when the name is that of another intent.
     */
    readonly intend: (intent: Omit<Intent, "workload">) => Effect.Effect<void, LeaseLost | StoreError>
    /** Records what was created under an intent. */
    readonly confirm: (workload: Workload) => Effect.Effect<void, StoreError>
    /** Records that nothing of the intent is left. Repeating it changes nothing. */
    readonly released: (name: WorkloadName) => Effect.Effect<void, StoreError>
    /** The intents of an App that are not released, oldest first. */
    readonly held: (app: AppId) => Effect.Effect<ReadonlyArray<Intent>, StoreError>
    /** The intents of a replica that are not released, oldest first. */
    readonly heldBy: (replica: ReplicaId) => Effect.Effect<ReadonlyArray<Intent>, StoreError>
    /**
     * Intents that are not released and whose Deployment is neither in progress nor serving: nobody owns what they made. Which of them
     * are answered first is left to chance, so that some that cannot be released do not keep others waiting.
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
          .map(({ released: _, ...row }) => row)

      const isInProgress = (status: DeploymentStatus | undefined): boolean =>
        status === "building" || status === "deploying"

      const isLive = (app: AppId): boolean => state.apps.get(app)?.app.status === "live"

      const isOwned = (row: IntentRow): boolean => {
        const status = state.deployments.get(row.deployment)?.deployment.status
        const serves = [...state.releases.values()].some(
          ({ deployment, release }) => deployment === row.deployment && release.current
        )
        return isInProgress(status) || (serves && isLive(row.app))
      }

      const intend = Effect.fnUntraced(function* (intent: Omit<Intent, "workload">) {
        const { deployment, fence, name } = intent
        const earlier = state.intents.get(name)
        const isTaken = earlier !== undefined && (earlier.deployment !== deployment || earlier.fence !== fence)
        const row = state.deployments.get(deployment)
        const isWanted = isInProgress(row?.deployment.status) || isLive(intent.app)
        if (isTaken || row?.fence !== fence || !isWanted) return yield* new LeaseLost({ deployment })
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
          Effect.sync(() => {
            const row = state.intents.get(name)
            if (row !== undefined) row.released = true
          }),
        held: (app) => Effect.sync(() => open((row) => row.app === app)),
        heldBy: (replica) => Effect.sync(() => open((row) => row.replica === replica)),
        unowned: (limit) => Effect.sync(() => open((row) => !isOwned(row)).slice(0, limit)),
        unknown: (names) => Effect.sync(() => names.filter((name) => state.intents.get(name)?.released !== false))
      })
    })
  )
}
