// Keeps Runs: what was asked for, how far it has come, and what may be left of it. A Run is what is done in a Slot: the Job
// that has the Slot says who carries it out, and under which Fence.
import { Context, type DateTime, Effect, Layer } from "effect"
import type { JobId } from "../domain/Job.ts"
import type { Fence } from "../domain/Lease.ts"
import type { Page, PageRequest } from "../domain/Page.ts"
import type { Run, RunId } from "../domain/Run.ts"
import type { LeaseLost } from "./Claim.ts"
import { makeMemoryRuns } from "./memoryRuns.ts"
import { MemoryState } from "./MemoryState.ts"
import type {
  RunClaim,
  RunCleanup,
  RunEnded,
  RunFilter,
  RunNotFound,
  RunOutcome,
  RunProgress,
  RunRequest
} from "./RunRequest.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * Keeps Runs. Every method is one transaction; each change of status writes its Event `run.<status>` in it. A write of a
 * holder carries its Fence: `LeaseLost` when the Run was taken under a newer one, or has ended.
 */
export class RunStore extends Context.Service<
  RunStore,
  {
    /** Makes a Run that is `provisioning`, one of its Job. `LeaseLost` when its Job does not run under this Fence, or has another Run. Asked again with the same id, Job and Fence it answers the same. */
    readonly create: (request: RunRequest) => Effect.Effect<RunClaim, LeaseLost | StoreError>
    /** The Run. */
    readonly get: (run: RunId) => Effect.Effect<Run, RunNotFound | StoreError>
    /** Runs, newest first. */
    readonly list: (filter: RunFilter, page: PageRequest) => Effect.Effect<Page<Run>, StoreError>
    /** The Run in the Slot of a Job, taken under the Fence of its new holder: no older one writes any more. Undefined when that Job is for something else; the Run may have ended. */
    readonly take: (job: JobId, fence: Fence) => Effect.Effect<RunClaim | undefined, LeaseLost | StoreError>
    /** Records how far it has come. From the first thing that is recorded on, its `cleanup` is pending. */
    readonly record: (claim: RunClaim, progress: RunProgress) => Effect.Effect<void, LeaseLost | StoreError>
    /** It is `running` from now on. Nothing is changed when it is already, or is torn down. */
    readonly running: (claim: RunClaim) => Effect.Effect<void, LeaseLost | StoreError>
    /**
     * Decides how it ends, once: one that was asked to stop before ends as `cancelled`, whatever the outcome. Answers the
     * Run as it stands; decided before, that stays. It is kept after that, as long as `keepUntil` says: not at
     * all when it was cancelled, or its server lost.
     */
    readonly settle: (claim: RunClaim, outcome: RunOutcome) => Effect.Effect<Run, LeaseLost | StoreError>
    /**
     * It is torn down from now on, and kept no longer. Nothing is changed when it is already, nor when it is kept until
     * another time than its holder has `seen`, if that is given: it is answered as it stands then.
     */
    readonly tearDown: (claim: RunClaim, seen?: Pick<Run, "keepUntil">) => Effect.Effect<Run, LeaseLost | StoreError>
    /**
     * Ends it as was decided, with all nodes `gone` and `cleanup` done; or pending, when something could not be released. Its
     * secrets are erased. `LeaseLost` also when it is not decided how it ends, or it is not torn down.
     */
    readonly finish: (claim: RunClaim, cleanup: "pending" | "done") => Effect.Effect<Run, LeaseLost | StoreError>
    /** Asks a Run to end: as `cancelled`, unless it is decided how it ends, then without being kept. One that has ended as `cancelled` is answered as it is. */
    readonly requestCancel: (run: RunId) => Effect.Effect<Run, RunNotFound | RunEnded | StoreError>
    /** Whether a Run was asked to end. */
    readonly stopRequested: (run: RunId) => Effect.Effect<boolean, StoreError>
    /** Says until when it is kept once it is decided how it ends; a time that is over keeps it no longer. `RunEnded` from when it is torn down, and before that when it will not be kept: somebody asked for its end, by its own name or by that of its Job, or its server was lost. */
    readonly keep: (run: RunId, until: DateTime.Utc) => Effect.Effect<Run, RunNotFound | RunEnded | StoreError>
    /** Runs that have ended and of which something may be left, at random: those that fail again and again stand in nobody's way. */
    readonly uncleaned: (limit: number) => Effect.Effect<ReadonlyArray<RunCleanup>, StoreError>
    /** Records that nothing is left of a Run that has ended. Repeating it changes nothing. */
    readonly cleaned: (run: RunId) => Effect.Effect<void, StoreError>
    /** Those of some ids that are of no Run that is in progress: whatever bears them is nobody's. */
    readonly unowned: (runs: ReadonlyArray<RunId>) => Effect.Effect<ReadonlyArray<RunId>, StoreError>
  }
>()("@lockkeeper/core/port/RunStore") {
  /** Runs in memory. */
  static readonly layerMemory: Layer.Layer<RunStore, never, MemoryState> = Layer.effect(
    RunStore,
    Effect.map(MemoryState, (state) => RunStore.of(makeMemoryRuns(state)))
  )
}
