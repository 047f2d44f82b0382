// What a method of a port fails with when its technology does.

import { assert } from "@effect/vitest"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Exit } from "effect"

/** What an effect fails with, when that is a StoreError; anything else, a defect above all, fails the test. */
export const reasonOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(self), (exit) => {
    if (Exit.isSuccess(exit)) return assert.fail("it succeeded")
    const [reason, ...others] = exit.cause.reasons
    if (reason?._tag !== "Fail" || others.length > 0 || !(reason.error instanceof StoreError)) {
      return assert.fail(`it ended with ${String(exit.cause)}`)
    }
    return reason.error.reason
  })
