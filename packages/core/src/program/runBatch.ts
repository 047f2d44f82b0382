// A Batch whose Items are an embedder's own work: resumable by its key, each result durable before it counts.
import { Cause, Effect, Exit, Result, Schema } from "effect"
import {
  type Item,
  ItemInput,
  type Job,
  JobTtl,
  maxItemConcurrency,
  maxItems,
  type OnFull,
  type OnItemFailure
} from "../domain/Job.ts"
import type { Cursor, Page } from "../domain/Page.ts"
import type { TenantName } from "../domain/Tenant.ts"
import { CheckpointStore } from "../port/CheckpointStore.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { ItemOutcome, JobClaim, JobKey, JobOutcome, JobRefused, JobTask } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { StoreError } from "../port/StoreError.ts"
import type { Restore } from "./admission.ts"
import { beginJob, rerunJob } from "./beginJob.ts"
import { concludeJob } from "./concludeJob.ts"
import { holdJob } from "./lease.ts"
import { performItems } from "./performItems.ts"
import { jobStopped, type JobStopped } from "./stop.ts"
import { jobAdmission, type SlotPorts, type SlotWithdrawn } from "./withSlot.ts"

/** A Batch to run, or to carry on: the same key in the same Tenant is the same Batch, with the Items that it began with. */
export interface BatchRequest<A> {
  readonly tenant: TenantName
  readonly key: JobKey
  readonly items: ReadonlyArray<string>
  /** How a result is stored and read: as JSON. */
  readonly result: Schema.Codec<A, unknown>
  readonly concurrency?: number | undefined
  readonly onItemFailure?: OnItemFailure | undefined
  readonly onFull?: OnFull | undefined
  /**
   * How long it is kept after it ended, in seconds, at least a minute: then its key means a new Batch. Without it one that is done
   * is kept as the table of Retention says, and one that is not for ever.
   */
  readonly ttlSeconds?: number | undefined
}

/** How an Item ended. `error` is for a person; `pending` means that nothing was tried, since one before it failed. */
export type ItemResult<A> =
  | { readonly item: string; readonly status: "done"; readonly value: A }
  | { readonly item: string; readonly status: "failed"; readonly error: string }
  | { readonly item: string; readonly status: "pending" }

/** What performing an Item is told. `name` is the same whenever it is performed: whoever makes something under it finds it again. */
export interface BatchItem {
  readonly item: string
  readonly number: number
  readonly name: string
}

/** A Batch was not begun, since what it is to be made of cannot be one; `detail` says what, and shows nothing of an Item. */
export class BatchInvalid extends Schema.TaggedError<BatchInvalid>()("BatchInvalid", { detail: Schema.String }) {
  override readonly message = `the batch is not valid: ${this.detail}`
}

type BatchError = BatchInvalid | JobRefused | JobStopped | LeaseLost | SlotWithdrawn | StoreError

/**
 * Performs every Item that is not done yet, and answers how each ended, in the order of the Items. One that fails is recorded
 * with its error and keeps no other from being done, unless `onItemFailure` is `stop`. After a crash, a cancel or a
 * failure, whoever runs the same key again goes on with what is left; of two at once, one is refused with `AlreadyRunning`.
 * A Batch that is done answers its results and performs nothing, for as long as it is kept (`ttlSeconds`). `BatchInvalid` when an Item, how many there are or are to
 * be worked on at once, or its time to live is not as `ItemInput`, `maxItems`, `maxItemConcurrency` and `JobTtl` say.
 */
export const runBatch = Effect.fn("runBatch")(function* <A, E, R>(
  request: BatchRequest<A>,
  perform: (item: BatchItem) => Effect.Effect<A, E, R>
): Effect.fn.Return<ReadonlyArray<ItemResult<A>>, BatchError, R | CheckpointStore | SlotPorts> {
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const begun = yield* entered(request)
      if (begun.job.status === "succeeded") return yield* resultsOf(begun.job, request)
      const claim = yield* jobAdmission(begun, restore)
      const exit = yield* Effect.scoped(worked(claim, request, perform, restore))
      yield* exit
      return yield* resultsOf(claim.job, request)
    })
  )
})

const taskOf = <A>({ concurrency = 1, onItemFailure = "continue" }: BatchRequest<A>): JobTask => ({
  command: null,
  timeoutSeconds: 1,
  itemConcurrency: concurrency,
  onItemFailure
})

/** The Items as they are stored. */
const checked = Effect.fnUntraced(function* <A>({ concurrency = 1, items, ttlSeconds }: BatchRequest<A>) {
  const invalid = (detail: string) => new BatchInvalid({ detail })
  if (items.length > maxItems) return yield* invalid(`it has more than ${maxItems} items`)
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > maxItemConcurrency) {
    return yield* invalid(`its concurrency is no whole number from 1 to ${maxItemConcurrency}`)
  }
  if (ttlSeconds !== undefined && !Schema.is(JobTtl)(ttlSeconds)) {
    return yield* invalid("its time to live is no whole number of seconds from a minute to ten years")
  }
  const wrong = items.findIndex((item) => !Schema.is(ItemInput)(item))
  if (wrong >= 0) {
    return yield* invalid(`item ${wrong + 1} is not well-formed Unicode without NUL of at most 4,096 characters`)
  }
  return items.filter(Schema.is(ItemInput))
})

/** Begins the Batch, or runs again the one that there is. */
const entered = Effect.fnUntraced(function* <A>(request: BatchRequest<A>) {
  const { key, onFull = "queue", tenant, ttlSeconds } = request
  const inputs = yield* checked(request)
  const enter = Effect.gen(function* () {
    const begun = yield* beginJob({ of: { tenant }, task: taskOf(request), items: inputs, key, onFull, ttlSeconds })
    return begun.created || begun.job.status === "succeeded" ? begun : yield* rerunJob(begun.job.id)
  })
  // One whose time is over may be swept in between: the key is free then.
  return yield* enter.pipe(
    Effect.retry({ while: ({ _tag }) => _tag === "JobNotFound", times: 1 }),
    Effect.catchTag("JobNotFound", Effect.die)
  )
})

const worked = Effect.fnUntraced(function* <A, E, R>(
  claim: JobClaim,
  { result }: BatchRequest<A>,
  perform: (item: BatchItem) => Effect.Effect<A, E, R>,
  restore: Restore
) {
  const lost = yield* holdJob(claim)
  const store = yield* JobStore
  const encode = Schema.encodeEffect(Schema.fromJsonString(Schema.toCodecJson(result)))
  const performed = performItems(claim, ({ item, number }) =>
    perform({ item, number, name: `${claim.job.id}-${number}` }).pipe(
      Effect.flatMap(encode),
      Effect.map((text): ItemOutcome => ({ status: "done", exitCode: null, result: text })),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.failCause(Cause.interrupt()) : Effect.succeed(failure(cause))
      )
    )
  )
  const counted = Effect.andThen(performed, Effect.catchTag(store.get(claim.job.id), "JobNotFound", Effect.die))
  const work = Effect.raceFirst(counted, Effect.raceFirst(lost, jobStopped(claim)))
  const exit = yield* Effect.exit(restore(Effect.scoped(work)))
  yield* concludeJob(claim, endOf(exit))
  return exit
})

/** What is said of a failure that has no text. */
const unsaid = "it failed"

const failure = (cause: Cause.Cause<unknown>): ItemOutcome => ({
  status: "failed",
  exitCode: null,
  result: JSON.stringify(
    Result.getOrElse(
      Result.try(() => String(Cause.squash(cause))),
      () => unsaid
    )
  )
})

/** What was interrupted can be run again by its key; nobody but its caller carries it on. */
const endOf = <E extends { readonly _tag: string }>(exit: Exit.Exit<Job, E>): Exit.Exit<JobOutcome, E> => {
  if (Exit.isSuccess(exit)) {
    const { done, total } = exit.value.items
    return Exit.succeed({ status: done === total ? "succeeded" : "failed", exitCode: null })
  }
  return Cause.hasInterruptsOnly(exit.cause)
    ? Exit.succeed({ status: "cancelled", exitCode: null })
    : Exit.failCause(exit.cause)
}

/** How every Item ended, in their order. */
const resultsOf = Effect.fnUntraced(function* <A>({ id }: Job, { result }: BatchRequest<A>) {
  const checkpoints = yield* CheckpointStore
  const decode = Schema.decodeEffect(Schema.fromJsonString(Schema.toCodecJson(result)))
  const results: Array<ItemResult<A>> = []
  let cursor: Cursor | null | undefined
  while (cursor !== null) {
    const page: Page<Item> = yield* checkpoints.items(id, { limit: 500, ...(cursor === undefined ? {} : { cursor }) })
    for (const item of page.items) results.push(yield* resultOf(item, decode))
    cursor = page.nextCursor
  }
  return results
})

const resultOf = <A>(
  { item, result, status }: Item,
  decode: (text: string) => Effect.Effect<A, Schema.SchemaError>
): Effect.Effect<ItemResult<A>, StoreError> => {
  switch (status) {
    case "pending":
      return Effect.succeed({ item, status })
    case "failed":
      return Effect.succeed({ item, status, error: result === null ? unsaid : String(JSON.parse(result)) })
    case "done":
      return decode(result ?? "").pipe(
        Effect.map((value) => ({ item, status, value })),
        Effect.mapError((cause) => new StoreError({ operation: "CheckpointStore.items", reason: "corrupt", cause }))
      )
  }
}
