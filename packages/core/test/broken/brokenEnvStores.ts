// EnvStores that make the mistakes their contract exists for.

import { DateTime, Effect, Redacted, Result } from "effect"
import type { AppId } from "../../src/domain/App.ts"
import {
  apply,
  Env,
  type EnvChange,
  EnvTooLarge,
  EnvValue,
  limitBytes,
  replacing,
  Revision
} from "../../src/domain/Env.ts"
import { type EnvEdit, EnvStore } from "../../src/port/EnvStore.ts"
import { publish } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

const trimmed = (change: EnvChange): EnvChange =>
  new Map(
    [...change].map(([key, value]) => [
      key,
      value === null ? null : Redacted.make(EnvValue.make(Redacted.value(value).trim()))
    ])
  )

/** All memory layers, with an EnvStore that reads, waits and overwrites. */
export const overwriting = altered(EnvStore, (original) => ({
  revise: <E>(edit: EnvEdit<E>) =>
    Effect.gen(function* () {
      const before = yield* original.read(edit.app)
      const change = yield* Effect.fromResult(edit.decide(before))
      const applied = yield* Effect.fromResult(apply(before.env, change))
      yield* Effect.yieldNow
      const overwrite = ({ env }: { readonly env: Env }) => Result.succeed(replacing(env, new Map(applied.env)))
      const { revision } = yield* original.revise({ ...edit, decide: overwrite })
      return { revision, applied }
    })
}))

/** Broken EnvStores. */
export const brokenEnvStores: ReadonlyArray<Broken> = [
  {
    what: "an EnvStore that says of an App without a Release that revision 0 is deployed",
    contract: "EnvStore",
    violates: ["EnvStore-1"],
    layer: altered(EnvStore, (original) => ({
      read: (app) =>
        Effect.map(original.read(app), (snapshot) => ({
          ...snapshot,
          deployedRevision: snapshot.deployedRevision ?? Revision.make(0)
        }))
    }))
  },
  {
    what: "an EnvStore that counts every key it was asked to delete as deleted",
    contract: "EnvStore",
    violates: ["E4"],
    layer: altered(EnvStore, (original) => ({
      revise: <E>(edit: EnvEdit<E>) =>
        Effect.gen(function* () {
          const asked = yield* original.read(edit.app)
          const change = yield* Effect.fromResult(edit.decide(asked))
          const { applied, revision } = yield* original.revise(edit)
          const keysDeleted = [...change].flatMap(([key, value]) => (value === null ? [key] : []))
          return { revision, applied: { ...applied, keysDeleted } }
        })
    }))
  },
  {
    what: "an EnvStore that writes a revision for a change of nothing",
    contract: "EnvStore",
    violates: ["E3", "E13 the history"],
    layer: altered(EnvStore, (original, state) => ({
      revise: <E>(edit: EnvEdit<E>) =>
        Effect.gen(function* () {
          const { applied, revision } = yield* original.revise(edit)
          const row = state.apps.get(edit.app)
          if (applied.changed || row === undefined) return { applied, revision }
          const [next, at] = [Revision.make(revision + 1), yield* DateTime.now]
          const names = { keysSet: [], keysDeleted: [], total: applied.env.size }
          const nothing = { revision: next, change: new Map(), actor: edit.actor, at, ...names }
          state.revisions.set(edit.app, [...(state.revisions.get(edit.app) ?? []), nothing])
          publish(state, at, "env.changed", row.app, edit.app, { revision: next })
          return { applied, revision: next }
        })
    }))
  },
  {
    what: "an EnvStore that reads, waits and overwrites",
    contract: "EnvStore",
    violates: ["E1", "E12", "E2 of two", "E13 the history"],
    layer: overwriting
  },
  {
    what: "an EnvStore that takes a refused change for one of nothing",
    contract: "EnvStore",
    violates: ["E12", "INV-5 what the decision"],
    layer: altered(EnvStore, (original) => ({
      revise: <E>(edit: EnvEdit<E>) =>
        original.revise<E>({
          ...edit,
          decide: (present) => Result.orElse(edit.decide(present), () => Result.succeed<EnvChange>(new Map()))
        })
    }))
  },
  {
    what: "an EnvStore that refuses the largest size",
    contract: "EnvStore",
    violates: ["E2 an Env of the largest"],
    layer: altered(EnvStore, (original) => ({
      revise: <E>(edit: EnvEdit<E>) =>
        Effect.gen(function* () {
          const before = yield* original.read(edit.app)
          const change = yield* Effect.fromResult(edit.decide(before))
          const { env } = yield* Effect.fromResult(apply(before.env, change))
          if (env.bytes >= limitBytes) return yield* new EnvTooLarge({ limit: limitBytes, actual: env.bytes })
          return yield* original.revise(edit)
        })
    }))
  },
  {
    what: "an EnvStore that trims values",
    contract: "EnvStore",
    violates: ["INV-5 values"],
    layer: altered(EnvStore, (original) => ({
      revise: <E>(edit: EnvEdit<E>) =>
        original.revise({ ...edit, decide: (present) => Result.map(edit.decide(present), trimmed) })
    }))
  },
  {
    what: "an EnvStore that answers the present Env for every revision",
    contract: "EnvStore",
    violates: ["INV-9"],
    layer: altered(EnvStore, (original) => ({ readAt: (app) => Effect.map(original.read(app), ({ env }) => env) }))
  },
  {
    what: "an EnvStore whose Events carry the revision before the change",
    contract: "EnvStore",
    violates: ["E13 each"],
    layer: altered(EnvStore, (original, { events }) => ({
      revise: <E>(edit: EnvEdit<E>) =>
        Effect.tap(original.revise(edit), ({ applied, revision }) =>
          Effect.sync(() => {
            const event = applied.changed ? events.pop() : undefined
            if (event !== undefined) events.push({ ...event, data: { revision: revision - 1 } })
          })
        )
    }))
  },
  {
    what: "an EnvStore whose history names what a change asked to delete, and not what it deleted",
    contract: "EnvStore",
    violates: ["E13 the history"],
    layer: altered(EnvStore, (original, { revisions }) => ({
      history: (app, page) =>
        Effect.map(original.history(app, page), ({ items, nextCursor }) => ({
          nextCursor,
          items: items.map((entry) => {
            const change = revisions.get(app)?.find(({ revision }) => revision === entry.revision)?.change
            return { ...entry, keysDeleted: [...(change ?? [])].flatMap(([key, value]) => (value ? [] : [key])) }
          })
        }))
    }))
  },
  {
    what: "an EnvStore whose pages of a history end before their last Revision",
    contract: "EnvStore",
    violates: ["E13 the history"],
    layer: altered(EnvStore, (original) => ({
      history: (app, page) =>
        Effect.map(original.history(app, page), ({ items, nextCursor }) => ({
          nextCursor,
          items: nextCursor === null ? items : items.slice(0, -1)
        }))
    }))
  },
  {
    what: "an EnvStore that answers a history of nothing where there is no App",
    contract: "EnvStore",
    violates: ["E8"],
    layer: altered(EnvStore, (original) => ({
      history: (app, page) =>
        Effect.catchTag(original.history(app, page), "AppGone", () => Effect.succeed({ items: [], nextCursor: null }))
    }))
  },
  {
    what: "an EnvStore that reads an empty Env where there is no App",
    contract: "EnvStore",
    violates: ["E8"],
    layer: altered(EnvStore, (original) => ({
      read: (app) =>
        Effect.catchTag(original.read(app), "AppGone", () =>
          Effect.succeed({
            status: "live" as const,
            revision: Revision.make(0),
            deployedRevision: null,
            env: Env.empty
          })
        )
    }))
  },
  {
    what: "an EnvStore that keeps what it last wrote, and not of which App",
    contract: "EnvStore",
    violates: ["INV-5 a change of one App's"],
    layer: altered(EnvStore, (original) => {
      let last: AppId | undefined
      return {
        read: (app) => original.read(last ?? app),
        revise: <E>(edit: EnvEdit<E>) =>
          Effect.tap(original.revise(edit), () => Effect.sync(() => void (last = edit.app)))
      }
    })
  },
  {
    what: "an EnvStore that takes the newest revision for the deployed one",
    contract: "EnvStore",
    violates: ["E11"],
    layer: altered(EnvStore, (original) => ({
      read: (app) =>
        Effect.map(original.read(app), (snapshot) => ({
          ...snapshot,
          deployedRevision: snapshot.deployedRevision === null ? null : snapshot.revision
        }))
    }))
  }
]
