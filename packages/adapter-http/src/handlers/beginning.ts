// What begins in a Slot at once is this process's own only once that of an earlier one was given up.
import { Effect } from "effect"
import type { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import { StoreUnavailable } from "../api/Problems.ts"

/** Waits, a few seconds after a start, until what begins is not given up with what the server had in hand before. */
export const readyToBegin = ({ ready }: Dispatcher["Service"]): Effect.Effect<void, StoreUnavailable> =>
  Effect.timeoutOrElse(ready, {
    duration: "5 seconds",
    orElse: () => Effect.fail(new StoreUnavailable({ detail: "the server is starting; try again" }))
  })
