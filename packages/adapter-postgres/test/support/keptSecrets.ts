// Sealed values on PostgreSQL for the contract of SealedSecrets: deploy keys of Apps.

import { GitSource, GitUrl } from "@lockkeeper/core/domain/Source"
import type { AppId } from "@lockkeeper/core/domain/App"
import type { AppStore } from "@lockkeeper/core/port/AppStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import * as Given from "@lockkeeper/core/testing/Fixture"
import type { SealedFixture } from "@lockkeeper/core/testing/SealedSecretsContract"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { sealedColumns } from "../../src/internal/sealedColumns.ts"
import { retiredCipher } from "./stores.ts"

const git = GitSource.make({ type: "git", url: GitUrl.make("https://code.example/team/app.git") })

/** Keeps each value as the deploy key of a new App. */
export const keptSecrets: SealedFixture<AppStore | SqlClient.SqlClient> = {
  retired: Effect.orDie(Effect.provide(SecretCipher, retiredCipher)),
  keep: Effect.fnUntraced(function* (seal) {
    const sql = yield* SqlClient.SqlClient
    const { id } = yield* Given.registered({ source: git })
    const place = `app/${id}/source`
    const replace = (bytes: Uint8Array) =>
      Effect.orDie(Effect.asVoid(sql`update apps set source_secret = ${bytes} where id = ${id}`))
    const bytes = sql<{ readonly bytes: Uint8Array }>`select source_secret as bytes from apps where id = ${id}`
    yield* Effect.flatMap(seal(place), replace)
    return {
      place,
      replace,
      bytes: Effect.map(Effect.orDie(bytes), ([row]) => Uint8Array.from(row?.bytes ?? []))
    }
  }, Effect.orDie)
}

/** How many sealed values the database has of an App. */
export const secretsOf = Effect.fnUntraced(function* (app: AppId) {
  const sql = yield* SqlClient.SqlClient
  const ofApps = sealedColumns.filter(({ table }) => table !== "runs")
  const counts = yield* Effect.forEach(ofApps, ({ column, table }) => {
    const owner = table === "apps" ? "id" : "app"
    return sql<{
      readonly kept: number
    }>`select count(${sql(column)})::int as kept from ${sql(table)} where ${sql(owner)} = ${app}`
  })
  return counts.flat().reduce((sum, { kept }) => sum + kept, 0)
})
