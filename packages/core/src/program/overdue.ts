// Notices that a Deployment takes too long as a whole, or does not get on.
import { Duration, Effect } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import type { Claim } from "../port/Claim.ts"
import { Deadlines } from "./deadlines.ts"
import type { LogWriter } from "./DeploymentLog.ts"
import { StepFailed } from "./deploySteps.ts"
import { monotonicMillis } from "./lease.ts"

/**
 * Answers the same log, through which the Deployment is seen to get on, and an effect that fails with `deadline_exceeded` once
 * it takes longer than it may, or says nothing for too long.
 */
export const overdue = Effect.fnUntraced(function* (
  { app }: Claim,
  log: LogWriter
): Effect.fn.Return<{ readonly heard: LogWriter; readonly overdue: Effect.Effect<never, StepFailed> }> {
  const { overall, progress } = yield* Deadlines
  const quiet = Duration.max(progress, Duration.seconds(app.healthCheck.timeoutSeconds + 60))
  const end = (yield* monotonicMillis) + Duration.toMillis(overall)
  let quietEnd = Number.POSITIVE_INFINITY
  const moved = Effect.map(monotonicMillis, (now) => void (quietEnd = now + Duration.toMillis(quiet)))
  yield* moved

  const say = (entry: LogEntry) => Effect.andThen(moved, log.say(entry))
  const overdue = Effect.gen(function* () {
    while (true) {
      const now = yield* monotonicMillis
      if (now >= end) return yield* late(`the deployment took longer than ${Duration.format(overall)}`)
      if (now >= quietEnd) return yield* late(`nothing was heard of it for ${Duration.format(quiet)}`)
      yield* Effect.sleep(Duration.millis(Math.min(end, quietEnd) - now))
    }
  })
  return { heard: { ...log, say }, overdue }
})

const late = (detail: string) => new StepFailed({ failure: { code: "deadline_exceeded", detail } })
