// Envs on PostgreSQL, sealed. What a change means is decided by the domain on the opened Env of the locked App; SQL stores
// sealed bytes, sizes and names, and decides nothing.

import type { AppId } from "@lockkeeper/core/domain/App"
import {
  apply,
  type Env,
  type EnvApplied,
  type EnvChange,
  type EnvTooLarge,
  Revision
} from "@lockkeeper/core/domain/Env"
import { AppGone, AppNotLive } from "@lockkeeper/core/port/AppStore"
import { EnvBusy, type EnvEdit, type EnvRevised, type EnvSnapshot, EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { lockedAppRows } from "./internal/appRows.ts"
import { Sealed, storable } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"
import { sealedEnvs } from "./internal/envs.ts"
import { isBusy } from "./internal/faults.ts"
import { turns } from "./internal/turns.ts"

const storedRows = rowsOf(Schema.Struct({ revision: Revision, sealed: Sealed }))

const snapshotRows = rowsOf(
  Schema.Struct({
    revision: Schema.NullOr(Revision),
    sealed: Schema.NullOr(Sealed),
    deployedRevision: Schema.NullOr(Revision)
  })
)

/** Makes the store. */
export const make: Effect.Effect<EnvStore["Service"], never, SqlClient.SqlClient | SecretCipher> = Effect.gen(
  function* () {
    const db = yield* database
    const envs = sealedEnvs(yield* SecretCipher)
    const inTurn = turns("10 seconds")
    const { sql } = db

    const snapshot = Effect.fnUntraced(function* (app: AppId) {
      const [row] = yield* snapshotRows(sql`select e.revision, e.sealed, r.env_revision as "deployedRevision"
      from apps a left join envs e on e.app = a.id left join releases r on r.app = a.id and r.current
      where a.id = ${app} and a.status <> 'deleted'`)
      if (row === undefined) return yield* new AppGone({ app })
      const { deployedRevision, revision, sealed } = row
      return { ...(yield* envs.present(app, { revision, sealed })), deployedRevision }
    })

    const read = (app: AppId) => db.statement<EnvSnapshot, AppGone>("EnvStore.read", snapshot(app))

    const readAt = (app: AppId, revision: Revision) =>
      db.statement<Env, AppGone>(
        "EnvStore.readAt",
        Effect.gen(function* () {
          const present = yield* snapshot(app)
          if (revision >= present.revision) return present.env
          const changes = yield* storedRows(sql`select revision, sealed_change as sealed from env_revisions
          where app = ${app} and revision <= ${revision} order by revision`)
          return yield* envs.replay(app, revision, changes)
        })
      )

    const write = Effect.fnUntraced(function* (
      { actor, app }: Pick<EnvEdit<never>, "actor" | "app">,
      revision: Revision,
      change: EnvChange,
      { bytes, env, keysDeleted, keysSet }: EnvApplied
    ) {
      const sealed = yield* envs.seal(app, revision, env)
      const sealedChange = yield* envs.sealChange(app, revision, change)
      yield* sql`with present as (
        insert into envs (app, revision, sealed, bytes) values (${app}, ${revision}, ${sealed}, ${bytes})
        on conflict (app) do update set revision = excluded.revision, sealed = excluded.sealed, bytes = excluded.bytes
      ), revised as (
        insert into env_revisions (app, revision, sealed_change, actor, keys_set, keys_deleted, total, at)
        values (${app}, ${revision}, ${sealedChange}, ${storable(actor)}, ${keysSet}::text[], ${keysDeleted}::text[],
          ${env.size}, clock_timestamp())
      )
      insert into events (type, tenant, app, subject, data)
      select 'env.changed', tenant, id, id, jsonb_build_object('revision', ${revision}::int) from apps where id = ${app}`
    })

    const revised = <E>(edit: EnvEdit<E>) =>
      db
        .transaction<EnvRevised, E | AppGone | AppNotLive | EnvTooLarge>(
          "EnvStore.revise",
          Effect.gen(function* () {
            const { app } = edit
            const [row] = yield* lockedAppRows(sql`select tenant, status from apps where id = ${app} for no key update`)
            if (row === undefined || row.status === "deleted") return yield* new AppGone({ app })
            const { status } = row
            if (status !== "live" && status !== "stopped") return yield* new AppNotLive({ app, status })

            const [stored] = yield* storedRows(sql`select revision, sealed from envs where app = ${app}`)
            const before = yield* envs.present(app, stored)
            const change = yield* Effect.fromResult(edit.decide(before))
            const applied = yield* Effect.fromResult(apply(before.env, change))
            if (!applied.changed) return { revision: before.revision, applied }

            const revision = Revision.make(before.revision + 1)
            yield* write(edit, revision, change, applied)
            return { revision, applied }
          })
        )
        .pipe(
          Effect.mapError((error) =>
            error instanceof StoreError && isBusy(error.cause) ? new EnvBusy({ app: edit.app }) : error
          )
        )

    const revise = <E>(edit: EnvEdit<E>) => inTurn(edit.app, revised(edit), Effect.fail(new EnvBusy({ app: edit.app })))

    return EnvStore.of({ read, readAt, revise })
  }
)

/** Provides the store. */
export const layer: Layer.Layer<EnvStore, never, SqlClient.SqlClient | SecretCipher> = Layer.effect(EnvStore, make)
