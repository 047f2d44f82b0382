// Envs on PostgreSQL, sealed. What a change means is decided by the domain; who writes when, and how, is in
// internal/envLines.ts and internal/envWriting.ts.

import type { AppId } from "@lockkeeper/core/domain/App"
import type { Env, EnvTooLarge, Revision } from "@lockkeeper/core/domain/Env"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import type { AppGone } from "@lockkeeper/core/port/AppStore"
import {
  type EnvEdit,
  type EnvRevised,
  type EnvSnapshot,
  EnvStore,
  type RevisionEntry
} from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { type Context, Effect, Layer, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { database } from "./internal/Database.ts"
import { pendingOf, type Refusal } from "./internal/envBatch.ts"
import { envLines } from "./internal/envLines.ts"
import { envRows } from "./internal/envRows.ts"
import { envWriting } from "./internal/envWriting.ts"
import { monotonic } from "./internal/monotonic.ts"
import { sealedEnvs } from "./internal/sealedEnvs.ts"

/** Makes the store. */
export const make: Effect.Effect<EnvStore["Service"], never, SqlClient.SqlClient | SecretCipher | Scope.Scope> =
  Effect.gen(function* () {
    const db = yield* database
    const cipher = yield* SecretCipher
    const rows = envRows(db)
    const envs = sealedEnvs(cipher)
    const now = yield* monotonic
    const lines = yield* envLines(envWriting(db, cipher, now), now)

    const at = Effect.fnUntraced(function* (app: AppId, upTo?: Revision) {
      const { deployedRevision, parts, revision, status } = yield* rows.parts(app, upTo)
      const asked = upTo === undefined || upTo > revision ? revision : upTo
      const { env } = yield* envs.replay(app, asked, parts)
      return { status, revision, deployedRevision, env }
    })

    const read = (app: AppId) => db.statement<EnvSnapshot, AppGone>("EnvStore.read", at(app))

    const readAt = (app: AppId, revision: Revision) =>
      db.statement<Env, AppGone>(
        "EnvStore.readAt",
        Effect.map(at(app, revision), ({ env }) => env)
      )

    const history = (app: AppId, page: PageRequest) =>
      db.statement<Page<RevisionEntry>, AppGone>(
        "EnvStore.history",
        Effect.map(rows.history(app, page), (entries) =>
          cut(
            page,
            entries.slice(0, page.limit + 1),
            ({ revision }) => revision,
            (entry) => entry
          )
        )
      )

    const revise = <E>(edit: EnvEdit<E>) =>
      Effect.contextWith((context: Context.Context<never>) =>
        Effect.callback<EnvRevised, E | EnvTooLarge | Refusal>((resume) => {
          const { ended, pending } = pendingOf(edit, now(), resume)
          lines.join(edit.app, pending, context)
          return Effect.suspend(() => {
            if (pending.status === "sent") return ended
            return lines.withdraw(edit.app, pending)
          })
        })
      )

    return EnvStore.of({ read, readAt, history, revise })
  })

/** Provides the store. */
export const layer: Layer.Layer<EnvStore, never, SqlClient.SqlClient | SecretCipher> = Layer.effect(EnvStore, make)
