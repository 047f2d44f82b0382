// What a server with failpoints is told to do.

import { Schema } from "effect"

/** What becomes of the server at a point `name#n`: the n-th time that it is reached after the order. */
export const FailpointOrder = Schema.Struct({
  point: Schema.String,
  fault: Schema.Literals([
    "none",
    "is killed before",
    "is killed after",
    "is stopped before",
    "is frozen before",
    "is frozen after"
  ])
})

/** The type of {@link FailpointOrder}. */
export type FailpointOrder = typeof FailpointOrder.Type
