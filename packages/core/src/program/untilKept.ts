// Waiting while a Run is kept, which may take a day: for the end of its time, which may become another one, and for somebody
// who asks for its end.
import { DateTime, Duration, Effect } from "effect"
import type { Run } from "../domain/Run.ts"
import type { Hints } from "../port/Hints.ts"
import type { JobStore } from "../port/JobStore.ts"
import { RunStore } from "../port/RunStore.ts"
import type { RunInHand } from "./RunInHand.ts"
import { runStopRequested } from "./stop.ts"
import { untilSeen } from "./untilSeen.ts"

/**
 * Waits until the time of a Run is over, and answers it as it was seen last, or until somebody asked for its end. Both are
 * seen at once where Hints are heard, else within half a minute. What cannot be read now is as it was before.
 */
export const untilKept = Effect.fnUntraced(function* (
  hand: RunInHand,
  run: Run
): Effect.fn.Return<Run | "asked to end", never, Hints | JobStore | RunStore> {
  const runs = yield* RunStore
  let seen = run
  const left = Effect.suspend(() => leftOf(seen))
  const look = Effect.gen(function* () {
    if (yield* Effect.orElseSucceed(runStopRequested(hand), () => false)) return "asked to end"
    seen = yield* Effect.orElseSucceed(runs.get(run.id), () => seen)
    return Duration.isZero(yield* left) ? seen : undefined
  })
  return yield* untilSeen<Run | "asked to end", never, JobStore | RunStore>(look, {
    topic: "stops",
    next: left,
    restore: (pause) => pause
  })
})

const leftOf = ({ keepUntil }: Run) =>
  Effect.map(DateTime.now, (now) =>
    Duration.millis(Math.max(0, (keepUntil === null ? 0 : keepUntil.epochMilliseconds) - now.epochMilliseconds))
  )
