// Every column that holds sealed values, and the place that each of its values is sealed for. A `bytea` column that is not
// here fails a test: what rotation does not know of would be lost with the key, and what deleting an App does not erase would
// stay. What was erased is NULL. Answers to requests that are kept for a day
// only are not sealed again: under a key that is gone they count as absent.

/** A column of sealed values. `place` is an expression over the row, the same as its store computes. */
export interface SealedColumn {
  readonly table: string
  readonly column: string
  /** The columns of the primary key, in its order. */
  readonly key: readonly [string, ...ReadonlyArray<string>]
  readonly place: string
}

/** All of them. */
export const sealedColumns: readonly [SealedColumn, ...ReadonlyArray<SealedColumn>] = [
  { table: "apps", column: "source_secret", key: ["id"], place: `'app/' || id || '/source'` },
  { table: "deployments", column: "source_secret", key: ["id"], place: `'deployment/' || id || '/source'` },
  { table: "env_snapshots", column: "sealed", key: ["app", "revision"], place: `'env/' || app || '/' || revision` },
  { table: "env_changes", column: "sealed", key: ["app", "first"], place: `'env/' || app || '/' || last || '/change'` },
  { table: "runs", column: "secrets", key: ["id"], place: `'run/' || id || '/topology'` },
  { table: "runs", column: "credentials", key: ["id"], place: `'run/' || id || '/credentials'` }
]

/** The `bytea` columns, as `table.column`, whose rows do not live long enough to be sealed again. */
export const shortLived: ReadonlyArray<string> = ["idempotency_keys.sealed"]

/** The `bytea` columns, as `table.column`, that hold no secret: what is said in a log is without them. */
export const unsealed: ReadonlyArray<string> = ["log_chunks.packed"]
