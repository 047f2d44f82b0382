// The end of a Run: decided once, kept for as long as somebody wants to look at it, removed, and only then over.
import { Effect, Exit } from "effect"
import { isKeepable, isOver, type Run, type RunFailure } from "../domain/Run.ts"
import { judge } from "../domain/StepResult.ts"
import type { Verdict } from "../domain/Verdict.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { Hints } from "../port/Hints.ts"
import type { JobStore } from "../port/JobStore.ts"
import { Providers } from "../port/Providers.ts"
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
import { type RunInHand, system } from "./RunInHand.ts"
import { untilKept } from "./untilKept.ts"
import { untilWritten } from "./untilWritten.ts"
import { allResults } from "./takeSteps.ts"

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
  return yield* ended(ending, became).pipe(Effect.catchTag("LeaseLost", () => overTaken(hand)))
})

/** A Run that this holder may not write any more. When that is because it is over, its Slot is given back all the same. */
const overTaken = Effect.fnUntraced(function* (hand: RunInHand) {
  const run = yield* presentRun(hand)
  if (isOver(run.status)) yield* endSlot(hand, run)
  return run
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
  const { topology } = hand.run
  const steps = yield* Effect.map(untilWritten(presentRun(hand)), (run) => run.steps).pipe(
    Effect.catchIf(isCorrupt, () => Effect.succeed([]))
  )
  const verdict = judge(topology.thresholds ?? [], allResults(topology.steps, steps))
  const outcome = redacted(outcomeOf(became, verdict), (yield* log.redactor).text)
  const settled = yield* untilWritten(runs.settle(hand.run, outcome))
  yield* log.say(system(settled.error?.detail ?? (settled.cancelling ? "cancelled" : outcome.status)))

  const isAsked = outcome.status === "cancelled"
  return yield* isAsked || !isKeepable(settled) ? tornDown(ending) : tornDownOnceKept(ending, settled)
})

const outcomeOf = (became: CarriedOut, verdict: Verdict | null): RunOutcome => {
  if (became === "cancelled") return { status: "cancelled", verdict, error: null }
  if (became !== "carried out") return { status: "failed", verdict, error: became }
  if (verdict === "pass" || verdict === null) return { status: "succeeded", verdict, error: null }
  return { status: "failed", verdict, error: { code: "verdict", detail: `the verdict is ${verdict}`, node: null } }
}

const redacted = (outcome: RunOutcome, text: (text: string) => string): RunOutcome =>
  outcome.error === null ? outcome : { ...outcome, error: { ...outcome.error, detail: text(outcome.error.detail) } }

/** That a part of a Run's row cannot be read: it is removed all the same. */
const isCorrupt = (error: LeaseLost | StoreError): boolean => error._tag === "StoreError" && error.reason === "corrupt"

/** Whether there is anything to look at: some node, in whatever state. What cannot be seen now is taken to be there. */
const isThere = Effect.fnUntraced(function* ({ id, nodes, target }: Run) {
  const providers = yield* Providers
  const { removal } = yield* RunDeadlines
  const begun = nodes.filter(({ status }) => status !== "pending")
  const seen = Effect.flatMap(providers.of(target), (provider) =>
    Effect.forEach(begun, ({ name }) => provider.inspect(id, name), { concurrency: 8 })
  )
  return yield* Effect.timeout(seen, removal).pipe(
    Effect.map((states) => states.some(({ state }) => state !== "gone")),
    Effect.orElseSucceed(() => begun.length > 0)
  )
})

/**
 * Removes a Run once it is kept no longer, which may be at once. Whoever says until when it is kept before it is torn down,
 * be it in the last moment, has it kept.
 */
const tornDownOnceKept = Effect.fnUntraced(function* (ending: EndingRun, settled: Run) {
  const { hand, log } = ending
  const runs = yield* RunStore
  let seen = settled
  let isKept = seen.keepUntil !== null && (yield* isThere(seen))
  while (seen.status !== "teardown") {
    if (isKept) {
      yield* log.say(system("kept until its time is over"))
      const last = yield* kept(ending, seen)
      if (last === "left") return settled
      if (last === "asked to end") return yield* tornDown(ending)
      seen = last
    }
    seen = yield* untilWritten(runs.tearDown(hand.run, seen))
    isKept = true
  }
  return yield* removed(ending)
})

/**
 * Keeps a Run until its time is over, and answers it as it was seen last, or until somebody asks for its end; `left` when
 * this server stops before that.
 */
const kept = Effect.fnUntraced(function* ({ hand, interruption, lost, restore }: EndingRun, run: Run) {
  const over = Effect.scoped(Effect.andThen(holdSubnet(hand), untilKept(hand, run)))
  const exit = yield* Effect.exit(restore(Effect.raceFirst(over, lost)))
  if (Exit.hasInterrupts(exit)) return interruption === "stops" ? "left" : "asked to end"
  return yield* exit
})

const tornDown = Effect.fnUntraced(function* (ending: EndingRun) {
  const runs = yield* RunStore
  yield* untilWritten(runs.tearDown(ending.hand.run))
  return yield* removed(ending)
})

/** Removes a Run and ends it and the Job that has its Slot. What could not be removed is left to the Reaper. */
const removed = Effect.fnUntraced(function* ({ hand, log }: EndingRun) {
  const runs = yield* RunStore
  const { removalTries } = yield* RunDeadlines
  const { network, run } = hand.run
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
