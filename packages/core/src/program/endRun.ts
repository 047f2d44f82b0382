// The end of a Run: decided once, kept for as long as somebody wants to look at it, removed, and only then over.
import { DateTime, Duration, Effect, Exit } from "effect"
import type { Run, RunFailure } from "../domain/Run.ts"
import { judge } from "../domain/StepResult.ts"
import type { Verdict } from "../domain/Verdict.ts"
import type { LeaseLost } from "../port/Claim.ts"
import { Hints } from "../port/Hints.ts"
import type { JobStore } from "../port/JobStore.ts"
import type { Providers } from "../port/Providers.ts"
import type { RunOutcome } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import { StoreError } from "../port/StoreError.ts"
import type { Restore } from "./admission.ts"
import { concludeJob } from "./concludeJob.ts"
import type { LogWriter } from "./DeploymentLog.ts"
import { holdSubnet } from "./holdSubnet.ts"
import { countRunEnded } from "./metrics.ts"
import { removeRun } from "./removeRun.ts"
import { RunDeadlines } from "./runDeadlines.ts"
import { type RunInHand, system, untilWritten } from "./RunInHand.ts"
import { runStopped } from "./stop.ts"

/** What became of carrying a Run out. */
export type CarriedOut = "carried out" | "cancelled" | RunFailure

/**
 * What it means to be interrupted: the caller wants no more of the Run (`cancels`), or this server stops (`stops`), and then
 * a Run that is only kept is left as it is, for another server to keep.
 */
export type Interruption = "cancels" | "stops"

/** A Run that is to end: who holds it, where it is logged, what is lost with its lease, and what may be interrupted. */
export interface EndingRun {
  readonly hand: RunInHand
  readonly log: LogWriter
  readonly lost: Effect.Effect<never, LeaseLost>
  readonly restore: Restore
  readonly interruption: Interruption
}

/** The ports that ending a Run needs. */
export type EndPorts = Hints | JobStore | Providers | RunStore

/**
 * Decides how a Run ends, unless that is decided; keeps it, removes it, and answers how it ended. When it is held by
 * somebody else meanwhile, or left to be kept by somebody else, it is answered as it stands.
 */
export const endRun = Effect.fn("endRun")(function* (
  ending: EndingRun,
  became: CarriedOut
): Effect.fn.Return<Run, StoreError, EndPorts> {
  const { hand } = ending
  return yield* ended(ending, became).pipe(Effect.catchTag("LeaseLost", () => presentRun(hand)))
})

/** A Run as it stands. */
export const presentRun = Effect.fnUntraced(function* ({
  run
}: Pick<RunInHand, "run">): Effect.fn.Return<Run, StoreError, RunStore> {
  const runs = yield* RunStore
  return yield* Effect.catchTag(runs.get(run.run.id), "RunNotFound", (cause) =>
    Effect.fail(new StoreError({ operation: "RunStore.get", reason: "unexpected", cause }))
  )
})

const ended = Effect.fnUntraced(function* (ending: EndingRun, became: CarriedOut) {
  const { hand, log } = ending
  const runs = yield* RunStore
  const { steps } = yield* untilWritten(presentRun(hand))
  const verdict = judge(hand.run.topology.thresholds ?? [], steps)
  const outcome = redacted(outcomeOf(became, verdict), (yield* log.redactor).text)
  const settled = yield* untilWritten(runs.settle(hand.run, outcome))
  yield* log.say(system(outcome.error?.detail ?? outcome.status))

  const isKept = settled.keepUntil !== null && outcome.status !== "cancelled" && !settled.cancelling
  const isLost = settled.error?.code === "server_lost"
  if (isKept && !isLost && (yield* kept(ending)) === "left") return settled
  return yield* tornDown(ending)
})

const outcomeOf = (became: CarriedOut, verdict: Verdict | null): RunOutcome => {
  if (became === "cancelled") return { status: "cancelled", verdict, error: null }
  if (became !== "carried out") return { status: "failed", verdict, error: became }
  if (verdict === "pass" || verdict === null) return { status: "succeeded", verdict, error: null }
  return { status: "failed", verdict, error: { code: "verdict", detail: `the verdict is ${verdict}`, node: null } }
}

const redacted = (outcome: RunOutcome, text: (text: string) => string): RunOutcome =>
  outcome.error === null ? outcome : { ...outcome, error: { ...outcome.error, detail: text(outcome.error.detail) } }

/** Keeps a Run until its time is over or somebody asks for its end; `left` when this server stops before that. */
const kept = Effect.fnUntraced(function* ({ hand, interruption, log, lost, restore }: EndingRun) {
  yield* log.say(system("kept until its time is over"))
  const over = Effect.scoped(Effect.andThen(holdSubnet(hand), untilKept(hand)))
  const exit = yield* Effect.exit(
    restore(Effect.raceFirst(Effect.raceFirst(over, lost), Effect.scoped(runStopped(hand))))
  )
  if (Exit.isSuccess(exit)) return "over"
  if (Exit.hasInterrupts(exit)) return interruption === "stops" ? "left" : "over"
  return yield* Effect.catchTag(exit, "RunStopped", () => Effect.succeed("over" as const))
})

/** How long a new `keepUntil` may go unnoticed while no Hint of it comes. */
const lookEvery = Duration.seconds(30)

const untilKept = Effect.fnUntraced(function* ({ run }: RunInHand) {
  const runs = yield* RunStore
  const wait = yield* (yield* Hints).listen("stops")
  while (true) {
    const seen = yield* Effect.orElseSucceed(runs.get(run.run.id), () => undefined)
    const left = seen === undefined ? lookEvery : yield* leftOf(seen)
    if (Duration.toMillis(left) <= 0) return
    yield* wait(Duration.min(left, lookEvery))
  }
})

const leftOf = ({ keepUntil }: Run) =>
  Effect.map(DateTime.now, (now) =>
    Duration.millis(Math.max(0, (keepUntil === null ? 0 : keepUntil.epochMilliseconds) - now.epochMilliseconds))
  )

/** Removes a Run and ends it and the Job that has its Slot. What could not be removed is left to the Reaper. */
const tornDown = Effect.fnUntraced(function* ({ hand, log }: EndingRun) {
  const runs = yield* RunStore
  const { removalTries } = yield* RunDeadlines
  const { network, run } = hand.run
  yield* untilWritten(runs.tearDown(hand.run))
  const cleanup = yield* removeRun({ run: run.id, target: run.target, network }, removalTries)
  yield* log.say(system(cleanup === "done" ? "nothing is left of it" : "something is left of it, and tried again"))
  yield* log.end
  const over = yield* untilWritten(runs.finish(hand.run, cleanup))
  yield* countRunEnded(over)
  yield* endSlot(hand, over)
  return over
})

/** Ends the Job that has the Slot of a Run that is over. When that fails, its lease runs out, and whoever takes it does. */
export const endSlot = Effect.fnUntraced(function* (
  { slot }: Pick<RunInHand, "slot">,
  { status }: Run
): Effect.fn.Return<void, never, JobStore> {
  const outcome = status === "succeeded" || status === "cancelled" ? status : "failed"
  yield* Effect.catchCause(concludeJob(slot, Exit.succeed({ status: outcome, exitCode: null })), (cause) =>
    Effect.logWarning(`${slot.job.id} is left to the reaper`, cause)
  )
})
