// Keeps each App's Env: the present one, and every change to it as a Revision.
import { Context, DateTime, Duration, Effect, Layer, Result, Schema } from "effect"
import type { AppId, AppStatus } from "../domain/App.ts"
import { apply, Env, type EnvApplied, type EnvChange, type EnvKey, type EnvTooLarge, Revision } from "../domain/Env.ts"
import { cut, type Page, type PageRequest } from "../domain/Page.ts"
import { AppGone, AppNotLive } from "./AppStore.ts"
import { currentRelease, MemoryState, type MemoryTables, publish } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Somebody else is changing this Env, and the wait for them was bounded; nothing was changed. */
export class EnvBusy extends Schema.TaggedError<EnvBusy>()("EnvBusy", { app: Schema.String }) {}

/**
 * An Env at one Revision, the status of its App, and the Revision that the current Release runs with (null without a
 * Release).
 */
export interface EnvSnapshot {
  readonly status: AppStatus
  readonly revision: Revision
  readonly deployedRevision: Revision | null
  readonly env: Env
}

/** What a change came to, and the Revision that holds it (the present one when nothing changed). */
export interface EnvRevised {
  readonly revision: Revision
  readonly applied: EnvApplied
}

/** How a Revision came to be: by whom, when, which names it set and deleted, and how many variables there were then. */
export interface RevisionEntry {
  readonly revision: Revision
  readonly actor: string
  readonly at: DateTime.Utc
  readonly keysSet: ReadonlyArray<EnvKey>
  readonly keysDeleted: ReadonlyArray<EnvKey>
  readonly total: number
}

/** A change by somebody. `actor` is a name for the history, never a credential. */
export interface EnvEdit<E> {
  readonly app: AppId
  readonly actor: string
  /** Decides the change from the present Env. Pure: it may run more than once. */
  readonly decide: (present: { readonly revision: Revision; readonly env: Env }) => Result.Result<EnvChange, E>
  /** How long all waiting may take; 3 s where it is not said, and never more. */
  readonly patience?: Duration.Duration | undefined
}

/** Whether the Env of an App in this status may be changed. */
export const isChangeable = (status: AppStatus): boolean => status === "live" || status === "stopped"

/** How long a change waits for others at most. */
export const longestWait: Duration.Duration = Duration.seconds(3)

/** Keeps Envs. */
export class EnvStore extends Context.Service<
  EnvStore,
  {
    /** The present Env of an App that is not deleted. */
    readonly read: (app: AppId) => Effect.Effect<EnvSnapshot, AppGone | StoreError>
    /** The Env as it was at a Revision, however many followed. */
    readonly readAt: (app: AppId, revision: Revision) => Effect.Effect<Env, AppGone | StoreError>
    /** The Revisions of an App that is not deleted, newest first. The cursor is a Revision. */
    readonly history: (app: AppId, page: PageRequest) => Effect.Effect<Page<RevisionEntry>, AppGone | StoreError>
    /**
     * Applies what `decide` says to the locked Env of a live or stopped App. The Env, the Revision with its history and
     * the Event are written together or not at all; a change that changes nothing writes nothing.
     */
    readonly revise: <E>(
      edit: EnvEdit<E>
    ) => Effect.Effect<EnvRevised, E | AppGone | AppNotLive | EnvTooLarge | EnvBusy | StoreError>
  }
>()("@lockkeeper/core/port/EnvStore") {
  /** Envs in memory. */
  static readonly layerMemory: Layer.Layer<EnvStore, never, MemoryState> = Layer.effect(
    EnvStore,
    Effect.gen(function* () {
      const state = yield* MemoryState

      const appRow = Effect.fnUntraced(function* (app: AppId) {
        const row = state.apps.get(app)
        return row === undefined || row.app.status === "deleted" ? yield* new AppGone({ app }) : row
      })

      const read = Effect.fnUntraced(function* (app: AppId) {
        const { status } = (yield* appRow(app)).app
        return { status, ...present(state, app), deployedRevision: currentRelease(state, app)?.envRevision ?? null }
      })

      const readAt = Effect.fnUntraced(function* (app: AppId, revision: Revision) {
        yield* appRow(app)
        return envAt(state, app, revision)
      })

      const history = Effect.fnUntraced(function* (app: AppId, page: PageRequest) {
        yield* appRow(app)
        const before = page.cursor === undefined ? Number.POSITIVE_INFINITY : Number(page.cursor)
        const rows = (state.revisions.get(app) ?? []).filter(({ revision }) => revision < before).toReversed()
        return cut(
          page,
          rows.slice(0, page.limit + 1),
          ({ revision }) => revision,
          ({ change: _, ...entry }): RevisionEntry => entry
        )
      })

      const revise = Effect.fnUntraced(function* <E>(edit: EnvEdit<E>) {
        const now = yield* DateTime.now
        const row = yield* appRow(edit.app)
        const { status } = row.app
        if (!isChangeable(status)) return yield* new AppNotLive({ app: edit.app, status })
        const before = present(state, edit.app)
        const change = yield* Effect.fromResult(edit.decide(before))
        const applied = yield* Effect.fromResult(apply(before.env, change))
        if (!applied.changed) return { revision: before.revision, applied }
        const { keysSet, keysDeleted } = applied
        const revision = Revision.make(before.revision + 1)
        const revisions = state.revisions.get(edit.app) ?? []
        const entry = { revision, actor: edit.actor, at: now, keysSet, keysDeleted, total: applied.env.size }
        state.revisions.set(edit.app, [...revisions, { ...entry, change }])
        publish(state, now, "env.changed", row.app, edit.app, { revision })
        return { revision, applied }
      })

      return EnvStore.of({ read, readAt, history, revise })
    })
  )
}

const envAt = (state: MemoryTables, app: AppId, revision: Revision): Env =>
  (state.revisions.get(app) ?? [])
    .filter((row) => row.revision <= revision)
    .reduce(
      (env, row) =>
        Result.getOrElse(
          Result.map(apply(env, row.change), (applied) => applied.env),
          () => env
        ),
      Env.empty
    )

const present = (state: MemoryTables, app: AppId) => {
  const revision = state.revisions.get(app)?.at(-1)?.revision ?? state.revisionZero
  return { revision, env: envAt(state, app, revision) }
}
