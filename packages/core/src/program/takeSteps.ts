// Takes the steps of a Run in their order, each with its own timeout, and records what each came to.
import { Duration, Effect, Option } from "effect"
import type { PlanStep } from "../domain/Plan.ts"
import { stepEnded, stepFailed, type StepResult } from "../domain/StepResult.ts"
import type { LeaseLost } from "../port/Claim.ts"
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { monotonicMillis } from "./lease.ts"
import { nodeLines } from "./nodeLines.ts"
import { ResultReading } from "./resultReading.ts"
import { failed, failedBy, RunFailed, type RunPlace, system } from "./RunInHand.ts"
import { untilWritten } from "./untilWritten.ts"
import type { StartedNodes } from "./startNodes.ts"

/**
 * Takes all steps and answers their results. After one that did not end with 0 the others are not run. One that does not
 * end in time, or cannot be begun, is a failure of the Run beside its own result.
 */
export const takeSteps = Effect.fn("takeSteps")(function* (
  place: RunPlace,
  steps: ReadonlyArray<PlanStep>,
  nodes: StartedNodes
): Effect.fn.Return<ReadonlyArray<StepResult>, RunFailed | LeaseLost | StoreError, RunStore> {
  const results: Array<StepResult> = []
  let failure: RunFailed | undefined
  for (const step of steps) {
    const isOver = failure !== undefined || results.some(({ exitCode }) => exitCode !== 0)
    const taken = isOver ? notRun(step) : yield* takeStep(place, step, nodes)
    failure ??= taken.failure
    results.push(taken.result)
    yield* recorded(place, taken.result)
  }
  return failure === undefined ? results : yield* failure
})

interface Taken {
  readonly result: StepResult
  readonly failure?: RunFailed | undefined
}

const notRun = (step: PlanStep): Taken => ({
  result: stepFailed(step, { code: "not_run", detail: "a step before it failed" })
})

/** The results of all steps of a Run that ends, in their order: of those without one that they were not run to their end. */
export const allResults = (
  steps: ReadonlyArray<Pick<PlanStep, "name">>,
  results: ReadonlyArray<StepResult>
): ReadonlyArray<StepResult> =>
  steps.map(
    (step) =>
      results.find(({ name }) => name === step.name) ??
      stepFailed(step, { code: "not_run", detail: "the run ended before it did" })
  )

const recorded = Effect.fnUntraced(function* ({ run }: RunPlace, result: StepResult) {
  const runs = yield* RunStore
  yield* untilWritten(runs.record(run, { steps: [result] }))
})

const takeStep = Effect.fn("takeStep")(function* (
  place: RunPlace,
  step: PlanStep,
  nodes: StartedNodes
): Effect.fn.Return<Taken> {
  const { log, provider } = place
  const spec = nodes.get(step.node)
  if (spec === undefined) return yield* Effect.die(new Error(`the node ${step.node} was not started`))
  yield* log.say(system(`step ${step.name} in ${step.node}`))
  const say = yield* nodeLines(place, `${step.node}/${step.name}`)
  const readers = yield* ResultReading
  const begunAt = yield* monotonicMillis
  const limit = Duration.seconds(step.timeoutSeconds)
  const exit = yield* provider
    .perform({ ...spec, step }, say)
    .pipe(
      Effect.mapError(failedBy(step.node)),
      Effect.timeoutOption(limit),
      Effect.match({ onFailure: (failure) => failure, onSuccess: Option.getOrUndefined })
    )
  const durationMillis = (yield* monotonicMillis) - begunAt

  if (exit instanceof RunFailed) {
    const detail = (yield* log.redactor).text(exit.failure.detail)
    const result = stepFailed(step, { code: "cut_off", detail })
    return { result, failure: exit }
  }
  if (exit === undefined) {
    const detail = `step ${step.name} took longer than ${Duration.format(limit)}`
    const result = stepFailed(step, { code: "timed_out", detail }, durationMillis)
    return { result, failure: failed("deadline_exceeded", detail, step.node) }
  }
  yield* log.say(system(`step ${step.name} ended with code ${exit.exitCode}`))
  return { result: stepEnded(step, { exitCode: exit.exitCode, durationMillis }, exit.file, readers) }
})
