// Changing an App's Env: some keys, atomically, for real or only to see what it would come to.
import { Effect, Result, Schema } from "effect"
import type { AppId } from "../domain/App.ts"
import { apply, type EnvChange, type EnvTooLarge, Revision } from "../domain/Env.ts"
import type { AppGone, AppNotLive } from "../port/AppStore.ts"
import { type EnvBusy, type EnvRevised, EnvStore } from "../port/EnvStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/** The Env is not at the Revision that the caller expected; nothing was changed. */
export class RevisionMismatch extends Schema.TaggedError<RevisionMismatch>()("RevisionMismatch", {
  actual: Revision
}) {}

/** Which keys of which App to set and delete, by whom; with `expected`, only at that Revision. */
export interface EnvMerge {
  readonly app: AppId
  readonly actor: string
  readonly change: EnvChange
  readonly expected?: Revision | undefined
}

/** Sets and deletes the keys of a change; every other key keeps its value, whoever else changes the Env meanwhile. */
export const mergeEnv = Effect.fn("mergeEnv")(function* (
  merge: EnvMerge
): Effect.fn.Return<
  EnvRevised,
  RevisionMismatch | AppGone | AppNotLive | EnvTooLarge | EnvBusy | StoreError,
  EnvStore
> {
  const store = yield* EnvStore
  return yield* store.revise({
    app: merge.app,
    actor: merge.actor,
    decide: ({ revision }) => expected(merge, revision)
  })
})

/** What {@link mergeEnv} would come to now, without changing anything. */
export const previewEnv = Effect.fn("previewEnv")(function* (
  merge: EnvMerge
): Effect.fn.Return<EnvRevised, RevisionMismatch | AppGone | EnvTooLarge | StoreError, EnvStore> {
  const store = yield* EnvStore
  const { revision, env } = yield* store.read(merge.app)
  const change = yield* Effect.fromResult(expected(merge, revision))
  return { revision, applied: yield* Effect.fromResult(apply(env, change)) }
})

const expected = (merge: EnvMerge, actual: Revision): Result.Result<EnvChange, RevisionMismatch> =>
  merge.expected === undefined || merge.expected === actual
    ? Result.succeed(merge.change)
    : Result.fail(new RevisionMismatch({ actual }))
