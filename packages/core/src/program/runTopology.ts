// A whole Run as one program: from what is asked for to the last thing that was released.
import { Effect } from "effect"
import type { Run } from "../domain/Run.ts"
import type { StoreError } from "../port/StoreError.ts"
import { beginRun, type BeginRunError, type BeginRunPorts, type TopologyRequest } from "./beginRun.ts"
import { carriedOut, type RunPorts } from "./carryOutRun.ts"

/** The ports that a Run needs. */
export type RunTopologyPorts = BeginRunPorts | RunPorts

/**
 * Makes the nodes of a Topology, takes its steps, removes everything, and answers how the Run ended: `succeeded` when what
 * was measured passes. Interrupted, it is `cancelled`, and everything that it made is gone first.
 */
export const runTopology = Effect.fn("runTopology")(function* (
  request: TopologyRequest
): Effect.fn.Return<Run, BeginRunError | StoreError, RunTopologyPorts> {
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const hand = yield* beginRun(request)
      return yield* carriedOut(hand, "cancels", restore)
    })
  )
})
