// Health and readiness.
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../api/Api.ts"
import { ServerInfo } from "../ServerInfo.ts"

/** Handles the system routes. */
export const systemHandlers = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fnUntraced(function* (handlers) {
    const { build, schemaVersion, notReady } = yield* ServerInfo
    return handlers.handleAll({
      health: () => Effect.succeed({ status: "ok" as const, build, schemaVersion }),
      ready: () =>
        Effect.flatMap(notReady, (reasons) =>
          reasons.length === 0
            ? Effect.succeed({ status: "ready" as const })
            : Effect.fail({ status: "not_ready" as const, reasons })
        )
    })
  })
)
