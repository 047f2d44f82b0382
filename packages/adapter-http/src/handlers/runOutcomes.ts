// Which problem each refusal of a Run becomes.
import { Effect } from "effect"
import { isOver, keepLimitHours } from "@lockkeeper/core/domain/Run"
import type { ProviderError } from "@lockkeeper/core/port/Provider"
import type { RunEnded } from "@lockkeeper/core/port/RunRequest"
import type { RunRefused } from "@lockkeeper/core/program/beginRun"
import { EngineUnavailable, StoreUnavailable } from "../api/Problems.ts"
import * as Problems from "../api/RunProblems.ts"
import { jobCapReached } from "./jobOutcomes.ts"

/** Why a Run did not begin. */
export const refusedRun = ({ reason }: RunRefused) => {
  switch (reason._tag) {
    case "TargetNotKnown":
      return Effect.fail(new Problems.UnknownTarget({ detail: reason.message, known: reason.known }))
    case "InvalidTopology": {
      const { detail, node } = reason
      return Effect.fail(new Problems.InvalidTopology({ detail, node, reason: reason.reason }))
    }
    case "MutableImage":
      return Effect.fail(new Problems.MutableImage({ detail: reason.message, node: reason.node }))
    case "KeepTooLong":
      return Effect.fail(keepTooLong())
    case "PoolExhausted":
      return Effect.fail(new Problems.PoolExhausted({ detail: "no block of addresses is free for another run" }))
    case "JobRefused":
      if (reason.reason._tag === "JobCapReached") return Effect.fail(jobCapReached(reason.reason))
      // It never waits for its Slot, and is of no App.
      return Effect.die(new Error(`a run was refused with ${reason.reason._tag}`))
  }
}

/** Where the Run was to be made did not answer; the log has the reason, the answer has not. */
export const noProvider = (error: ProviderError) =>
  Effect.logError("a provider failed a request", error).pipe(
    Effect.andThen(
      Effect.fail(new EngineUnavailable({ detail: "what makes runs of this target did not answer; try again" }))
    )
  )

/** The Slot was lost before the Run was written down, which took longer than a lease: nothing is left of it. */
export const tooSlow = () => new StoreUnavailable({ detail: "the store answered too late; try again" })

/** The Run has ended, or is about to. */
export const runOver = ({ status }: RunEnded) =>
  Effect.fail(
    new Problems.RunAlreadyTerminal({
      detail: isOver(status) ? `it has ended: ${status}` : "it is about to end, and kept no longer",
      runStatus: status
    })
  )

/** Nothing is kept for so long. */
export const keepTooLong = () =>
  new Problems.KeepTooLong({ detail: `a run is kept at most ${keepLimitHours} hours ahead`, limit: keepLimitHours })
