// Writing what must be on record, while the store is away for a moment.
import { Effect } from "effect"
import type { StoreError } from "../port/StoreError.ts"
import { backoff } from "./backoff.ts"

/** Tries for about half a minute while the store is away. */
export const untilWritten = <A, E extends { readonly _tag: string }, R>(
  writing: Effect.Effect<A, E | StoreError, R>
): Effect.Effect<A, E | StoreError, R> =>
  Effect.retry(writing, {
    while: (error) => "reason" in error && error._tag === "StoreError" && error.reason === "unavailable",
    schedule: backoff("50 millis", "2 seconds"),
    times: 20
  })
