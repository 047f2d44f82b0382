// What is stored of logs, as text: chunks of lines are packed, and a search for secrets has to see into them.

import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { gunzipSync } from "node:zlib"

const textOf = (packed: Uint8Array): string =>
  (packed[0] === 0x1f ? gunzipSync(packed) : Buffer.from(packed)).toString()

/** Each chunk of every log. */
export const storedLogs = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly packed: Uint8Array }>`select packed from log_chunks`
  return rows.map(({ packed }) => textOf(packed))
})
