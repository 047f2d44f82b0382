// The one failure that every store has besides its own outcomes: the technology behind it did not do its part.
import { Schema } from "effect"

/**
 * A store could not do what it was asked, and nothing was changed, unless `operation` was committing when it failed.
 * `unavailable`: the database is away or busy, try again; `corrupt`: a row is not what it must be, and it was left as it
 * is; `unexpected`: a defect of the adapter.
 */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  operation: Schema.String,
  reason: Schema.Literals(["unavailable", "corrupt", "unexpected"]),
  cause: Schema.Defect()
}) {
  override readonly message = `${this.operation}: the store is ${this.reason}`
}
