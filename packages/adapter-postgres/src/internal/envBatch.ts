// Many changes of one Env as one: each is decided on what those before it left, and has an outcome of its own. Pure, but for
// the answers that wait in it. Not here: when a batch is written, and how.

import {
  apply,
  type Env,
  type EnvApplied,
  type EnvChange,
  type EnvKey,
  type EnvTooLarge,
  Revision
} from "@lockkeeper/core/domain/Env"
import type { AppGone, AppNotLive } from "@lockkeeper/core/port/AppStore"
import { type EnvBusy, type EnvEdit, type EnvRevised, longestWait } from "@lockkeeper/core/port/EnvStore"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Redacted, Result } from "effect"
import { randomUUID } from "node:crypto"
import { storable } from "./columns.ts"
import type { Present } from "./sealedEnvs.ts"

/** Why a change was not even decided. */
export type Refusal = AppGone | AppNotLive | EnvBusy | StoreError

/** What a change comes to on an Env: what it changes, if anything, and how its caller is told. */
interface Decided {
  readonly changed: { readonly change: EnvChange; readonly applied: EnvApplied } | undefined
  readonly tell: (revision: Revision) => void
}

/**
 * A change that waits for its outcome until a point of monotonic time in milliseconds. `waiting`, it can be withdrawn;
 * `sent`, it may be written already.
 */
export interface Pending {
  readonly actor: string
  readonly until: number
  status: "waiting" | "sent" | "over"
  readonly decide: (present: Present) => Decided
  readonly refuse: (error: Refusal) => void
}

/** A change that waits for an answer, and when it has one. What its decision throws is told to its caller alone. */
export const pendingOf = <E>(
  edit: EnvEdit<E>,
  now: number,
  answer: (outcome: Effect.Effect<EnvRevised, E | EnvTooLarge | Refusal>) => void
): { readonly pending: Pending; readonly ended: Effect.Effect<void> } => {
  const patience = Duration.min(edit.patience ?? longestWait, longestWait)
  const listeners = new Set<() => void>()

  const end = (outcome: Effect.Effect<EnvRevised, E | EnvTooLarge | Refusal>): void => {
    if (pending.status === "over") return
    pending.status = "over"
    answer(outcome)
    listeners.forEach((listener) => listener())
  }

  const decide = (present: Present): Decided => {
    const decided = Result.try({ try: () => decision(edit, present), catch: (thrown) => Effect.die(thrown) })
    if (Result.isFailure(decided)) return { changed: undefined, tell: () => end(decided.failure) }
    const outcome = decided.success
    if (Result.isFailure(outcome)) return { changed: undefined, tell: () => end(Effect.fail(outcome.failure)) }
    const { applied, change } = outcome.success
    return {
      changed: applied.changed ? { applied, change } : undefined,
      tell: (revision) => end(Effect.succeed({ revision, applied }))
    }
  }

  const pending: Pending = {
    actor: edit.actor,
    until: now + Duration.toMillis(patience),
    status: "waiting",
    decide,
    refuse: (error) => end(Effect.fail(error))
  }
  const ended = Effect.callback<void>((resume) => {
    if (pending.status === "over") resume(Effect.void)
    else listeners.add(() => resume(Effect.void))
  })
  return { pending, ended }
}

const decision = <E>({ decide }: EnvEdit<E>, present: Present) =>
  Result.flatMap(decide(present), (change) =>
    Result.map(apply(present.env, change), (applied) => ({ applied, change }))
  )

/** A line of the history. */
interface HistoryLine {
  readonly actor: string
  readonly keysSet: ReadonlyArray<EnvKey>
  readonly keysDeleted: ReadonlyArray<EnvKey>
  readonly total: number
}

/** Changes that are written together or not at all. Without any, it only has to be true that `base` is the present one. */
export interface Batch {
  readonly operation: string
  readonly base: Present
  readonly next: Present
  readonly changes: ReadonlyArray<EnvChange>
  readonly history: ReadonlyArray<HistoryLine>
  readonly pending: ReadonlyArray<Pending>
  /** Tells each caller its outcome, once the batch is written. */
  readonly tell: () => void
}

/** The most changes, and the most characters in them, that one batch carries. */
const limits = { count: 256, characters: 256 * 1024 }

const charactersOf = (change: EnvChange): number => {
  let characters = 0
  for (const [key, value] of change) characters += key.length + (value === null ? 0 : Redacted.value(value).length)
  return characters
}

/** Makes a batch of the first of these changes, in their order; the caller takes those that are in it out of the line. */
export const batched = (base: Present, line: ReadonlyArray<Pending>): Batch => {
  const changes: Array<EnvChange> = []
  const history: Array<HistoryLine> = []
  const pending: Array<Pending> = []
  const answers: Array<() => void> = []
  let { env, revision }: { env: Env; revision: Revision } = base
  let characters = 0
  for (const one of line) {
    if (pending.length >= limits.count || characters >= limits.characters) break
    const { changed, tell } = one.decide({ env, revision })
    if (changed !== undefined) {
      const { applied, change } = changed
      const { keysDeleted, keysSet } = applied
      ;({ env } = applied)
      revision = Revision.make(revision + 1)
      changes.push(change)
      history.push({ actor: storable(one.actor), keysSet, keysDeleted, total: env.size })
      characters += charactersOf(change)
    }
    const outcome = revision
    pending.push(one)
    answers.push(() => tell(outcome))
  }
  const tell = (): void => answers.forEach((answer) => answer())
  return { operation: randomUUID(), base, next: { env, revision }, changes, history, pending, tell }
}
