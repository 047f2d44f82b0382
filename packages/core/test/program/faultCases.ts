// In which ways a call of a port goes wrong, for tests that try each of them at every call.
import type { StoreError } from "../../src/port/StoreError.ts"
import type { Fault } from "../../src/testing/everyFailpoint.ts"

/** A fault, and what a store says of it where it says anything. */
export interface FaultCase {
  readonly fault: Fault
  readonly reason: StoreError["reason"]
}

/** All of them, each by a clause for the name of its test. */
export const faultCases: ReadonlyArray<readonly [string, FaultCase]> = [
  ["fails before its effect", { fault: "fails", reason: "unavailable" }],
  ["fails for good before its effect", { fault: "fails", reason: "unexpected" }],
  ["loses its answer", { fault: "loses its answer", reason: "unavailable" }],
  ["loses its answer for good", { fault: "loses its answer", reason: "unexpected" }],
  ["dies before its effect", { fault: "dies before", reason: "unavailable" }],
  ["dies after its effect", { fault: "dies after", reason: "unavailable" }],
  ["is interrupted before its effect", { fault: "is interrupted before", reason: "unavailable" }],
  ["is interrupted after its effect", { fault: "is interrupted after", reason: "unavailable" }],
  ["is where the process is killed, before its effect", { fault: "is cut off before", reason: "unavailable" }],
  ["is where the process is killed, after its effect", { fault: "is cut off after", reason: "unavailable" }]
]
