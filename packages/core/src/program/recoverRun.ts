// Ends a Run whose holder is gone: nothing of it can be carried on elsewhere, so it is removed, unless it is only kept.
import { Effect } from "effect"
import { isOver, type Run } from "../domain/Run.ts"
import { JobStore } from "../port/JobStore.ts"
import type { LogStore } from "../port/LogStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { Restore } from "./admission.ts"
import { openRunLog, serverLost } from "./carryOutRun.ts"
import { endRun, type EndPorts, endSlot } from "./endRun.ts"
import { holdJob } from "./lease.ts"
import type { Replica } from "./Replica.ts"
import type { RunInHand } from "./RunInHand.ts"

/** The ports that ending the Run of somebody else needs. */
export type RecoverRunPorts = EndPorts | LogStore | Replica

/**
 * Ends a Run that was taken from a holder that is gone: as was decided, as `cancelled` when it was asked to end, else as
 * failed with `server_lost`. One that is kept is kept on, so that this may take a day.
 */
export const recoverRun = Effect.fn("recoverRun")(function* (
  hand: RunInHand
): Effect.fn.Return<Run, StoreError, RecoverRunPorts> {
  const { run } = hand.run
  if (isOver(run.status)) return yield* Effect.as(endSlot(hand, run), run)
  return yield* Effect.uninterruptibleMask((restore) => Effect.scoped(recovered(hand, restore)))
})

const recovered = Effect.fnUntraced(function* (hand: RunInHand, restore: Restore) {
  const lost = yield* holdJob(hand.slot)
  const log = yield* openRunLog(hand)
  const isAsked = hand.run.run.cancelling || (yield* (yield* JobStore).stopRequested(hand.slot))
  const became = isAsked ? "cancelled" : serverLost
  return yield* endRun({ hand, log, lost, restore, interruption: "stops" }, became)
})
