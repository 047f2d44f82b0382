// The schema that the migrations lead to is committed as `schema.sql`, so that a change to it shows in a diff.
// UPDATE_SCHEMA=1 writes it anew.

import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { dumpSchema } from "./support/dumpSchema.ts"
import { stores } from "./support/stores.ts"

const file = fileURLToPath(new URL("../schema.sql", import.meta.url))

const header = `-- The schema of Lockkeeper, as the migrations leave it. Written by test/schema.test.ts with UPDATE_SCHEMA=1.\n\n`

layer(stores(), { excludeTestServices: true })("schema.sql", (it) => {
  it.effect("X20: is what the migrations lead to", () =>
    Effect.gen(function* () {
      const dumped = header + (yield* dumpSchema)
      if (process.env["UPDATE_SCHEMA"] === "1") writeFileSync(file, dumped)
      assert.strictEqual(readFileSync(file, "utf8"), dumped)
    })
  )

  it.effect("each foreign key has an index behind it, so that nothing scans a table to check one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const bare = yield* sql`select k.conname as constraint from pg_constraint k
        where k.contype = 'f' and k.connamespace = 'public'::regnamespace and not exists (
          select 1 from pg_index i where i.indrelid = k.conrelid and i.indkey[0] = any (k.conkey)
            and coalesce(pg_get_expr(i.indpred, i.indrelid), 'is not null') ~* 'is not null'
        )`
      assert.deepStrictEqual(bare, [])
    })
  )
})
