// What a failure of the engine means for a Run.

import type { RuntimeError } from "@lockkeeper/core/port/ContainerRuntime"
import { ProviderError } from "@lockkeeper/core/port/Provider"
import type { EngineError, EngineReason } from "./EngineError.ts"

const reasons: Partial<Record<EngineReason, ProviderError["reason"]>> = {
  unreachable: "provider_unavailable",
  timed_out: "provider_unavailable",
  image_not_found: "image_not_found",
  denied: "image_not_found",
  registry: "image_not_found",
  conflict: "name_conflict"
}

/** The reason of a failed call; `otherwise` where the call decides it. */
export const asProviderError =
  (otherwise: ProviderError["reason"]) =>
  (error: EngineError | RuntimeError | ProviderError): ProviderError => {
    if (error._tag === "ProviderError") return error
    const reason =
      error._tag === "EngineError"
        ? reasons[error.reason]
        : error.reason === "engine_unavailable"
          ? "provider_unavailable"
          : undefined
    return new ProviderError({ reason: reason ?? otherwise, detail: error.message })
  }
