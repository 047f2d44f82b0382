// Changing an App's Env: some keys of it or all of it, atomically, for real or only to see what it would come to.
import { type Duration, Effect, Result, Schema } from "effect"
import type { AppId } from "../domain/App.ts"
import { apply, type Env, type EnvChange, type EnvTooLarge, replacing, Revision } from "../domain/Env.ts"
import { type AppGone, AppNotLive } from "../port/AppStore.ts"
import { type EnvBusy, type EnvEdit, type EnvRevised, EnvStore, isChangeable } from "../port/EnvStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/** The Env is not at the Revision that the caller expected; nothing was changed. */
export class RevisionMismatch extends Schema.TaggedError<RevisionMismatch>()("RevisionMismatch", {
  actual: Revision
}) {}

/**
 * Which keys of which App to set and delete, by whom; with `expected`, only at that Revision. `patience` is how long the
 * caller still waits for others: 3 s where it is not said, and never more.
 */
export interface EnvMerge {
  readonly app: AppId
  readonly actor: string
  readonly change: EnvChange
  readonly expected?: Revision | undefined
  readonly patience?: Duration.Duration | undefined
}

/** The variables that an App is to have, and no others, in place of those at the Revision `expected`. */
export interface EnvReplacement extends EnvMerge {
  readonly expected: Revision
}

/** What looking at what a change would come to may fail with. */
export type EnvPreviewError = RevisionMismatch | AppGone | AppNotLive | EnvTooLarge | StoreError

/** What a change of an Env may fail with. */
export type EnvChangeError = EnvPreviewError | EnvBusy

/**
 * Sets and deletes the keys of a change; every other key keeps its value, whoever else changes the Env meanwhile. It has no
 * span of its own: that and its stack trace would be a third of what a merge among many costs.
 */
export const mergeEnv = Effect.fnUntraced(function* (
  merge: EnvMerge
): Effect.fn.Return<EnvRevised, EnvChangeError, EnvStore> {
  const store = yield* EnvStore
  const { app, actor, patience } = merge
  return yield* store.revise({ app, actor, patience, decide: ({ revision }) => expected(merge, revision) })
})

/**
 * Makes an Env hold what `change` sets and nothing else. There is no way to do so without saying which Revision is
 * replaced: what somebody else wrote after that is never overwritten unseen.
 */
export const replaceEnv = Effect.fn("replaceEnv")(function* (
  replacement: EnvReplacement
): Effect.fn.Return<EnvRevised, EnvChangeError, EnvStore> {
  const store = yield* EnvStore
  const { app, actor, patience } = replacement
  return yield* store.revise({ app, actor, patience, decide: (present) => replaced(replacement, present) })
})

/** What {@link mergeEnv} would come to now, without changing anything. */
export const previewEnv = Effect.fn("previewEnv")(function* (
  merge: EnvMerge
): Effect.fn.Return<EnvRevised, EnvPreviewError, EnvStore> {
  return yield* preview(merge.app, ({ revision }) => expected(merge, revision))
})

/** What {@link replaceEnv} would come to now, without changing anything. */
export const previewReplacedEnv = Effect.fn("previewReplacedEnv")(function* (
  replacement: EnvReplacement
): Effect.fn.Return<EnvRevised, EnvPreviewError, EnvStore> {
  return yield* preview(replacement.app, (present) => replaced(replacement, present))
})

const preview = Effect.fnUntraced(function* (app: AppId, decide: EnvEdit<RevisionMismatch>["decide"]) {
  const store = yield* EnvStore
  const present = yield* store.read(app)
  const { env, revision, status } = present
  if (!isChangeable(status)) return yield* new AppNotLive({ app, status })
  const change = yield* Effect.fromResult(decide(present))
  return { revision, applied: yield* Effect.fromResult(apply(env, change)) }
})

const expected = (merge: EnvMerge, actual: Revision): Result.Result<EnvChange, RevisionMismatch> =>
  merge.expected === undefined || merge.expected === actual
    ? Result.succeed(merge.change)
    : Result.fail(new RevisionMismatch({ actual }))

const replaced = (replacement: EnvReplacement, { env, revision }: { readonly revision: Revision; readonly env: Env }) =>
  Result.map(expected(replacement, revision), (change) => replacing(env, change))
