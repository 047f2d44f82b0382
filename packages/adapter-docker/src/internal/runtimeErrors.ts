// What a failure of the engine means for a Deployment.

import { RuntimeError } from "@lockkeeper/core/port/ContainerRuntime"
import type { EngineError, EngineReason } from "./EngineError.ts"

const reasons: Partial<Record<EngineReason, RuntimeError["reason"]>> = {
  unreachable: "engine_unavailable",
  timed_out: "engine_unavailable",
  image_not_found: "image_gone",
  port_in_use: "port_conflict"
}

const explanations: Partial<Record<EngineReason, string>> = {
  bad_command: "the command cannot be run in the image",
  disk_full: "the engine's disk is full",
  image_not_found: "the image is gone"
}

/** The reason of a failed call; `otherwise` where the call decides it. */
export const asRuntimeError =
  (otherwise: RuntimeError["reason"]) =>
  (error: EngineError | RuntimeError): RuntimeError => {
    if (error._tag === "RuntimeError") return error
    const explanation = explanations[error.reason]
    return new RuntimeError({
      reason: reasons[error.reason] ?? otherwise,
      detail: explanation === undefined ? error.message : `${explanation}: ${error.detail}`
    })
  }
