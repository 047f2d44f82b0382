// Which problem each refusal of a Run becomes.
import { Effect } from "effect"
import { keepLimitHours } from "@lockkeeper/core/domain/Run"
import type { InvalidTopology, MutableImage } from "@lockkeeper/core/domain/topologyRefusal"
import type { ProviderError } from "@lockkeeper/core/port/Provider"
import type { TargetNotKnown } from "@lockkeeper/core/port/Providers"
import type { JobRefused } from "@lockkeeper/core/port/JobRequest"
import type { RunEnded } from "@lockkeeper/core/port/RunRequest"
import { EngineUnavailable } from "../api/Problems.ts"
import * as Problems from "../api/RunProblems.ts"
import { jobCapReached } from "./jobOutcomes.ts"

/** The parts of a Topology do not fit together. */
export const invalidTopology = ({ detail, node, reason }: InvalidTopology) =>
  Effect.fail(new Problems.InvalidTopology({ detail, node, reason }))

/** An image without a version. */
export const mutableImage = ({ message, node }: MutableImage) =>
  Effect.fail(new Problems.MutableImage({ detail: message, node }))

/** No block of addresses is free. */
export const poolExhausted = () =>
  Effect.fail(new Problems.PoolExhausted({ detail: "no block of addresses is free for another run" }))

/** There is no such target. */
export const unknownTarget = ({ known, message }: TargetNotKnown) =>
  Effect.fail(new Problems.UnknownTarget({ detail: message, known }))

/** Where the Run was to be made did not answer; the log has the reason, the answer has not. */
export const noProvider = (error: ProviderError) =>
  Effect.logError("a provider failed a request", error).pipe(
    Effect.andThen(
      Effect.fail(new EngineUnavailable({ detail: "the engine that makes runs did not answer; try again" }))
    )
  )

/** The Run has ended. */
export const runOver = ({ status }: RunEnded) =>
  Effect.fail(new Problems.RunAlreadyTerminal({ detail: `it has ended: ${status}`, runStatus: status }))

/** Nothing is kept for so long. */
export const keepTooLong = () =>
  Effect.fail(
    new Problems.KeepTooLong({ detail: `a run is kept at most ${keepLimitHours} hours ahead`, limit: keepLimitHours })
  )

/** A Run was refused its Slot. It never waits for one, and is of no App. */
export const refusedRun = (error: JobRefused) => {
  const { reason } = error
  if (reason._tag !== "JobCapReached") return Effect.die(new Error(`a run was refused with ${reason._tag}`))
  return jobCapReached(reason)
}
