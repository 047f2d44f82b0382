// INV-6, as far as Apps end: an App that is not live begins nothing, takes no traffic and gets no Release, and one that
// expired keeps its Env.

import type { AppId, AppStatus } from "@lockkeeper/core/domain/App"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect } from "effect"
import type { Ledger } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import { isDone, type Seen } from "../Seen.ts"

const appOf = (seen: Seen): AppId | undefined => {
  switch (seen.call) {
    case "begin":
      return seen.request.app
    case "revise":
      return seen.app
    case "activate":
    case "finish":
      return seen.claim.app.id
    default:
      return undefined
  }
}

/** With what a call is refused by Apps of each status that does not allow it. */
const refusals = (seen: Seen): Partial<Record<AppStatus, string>> => {
  const gone = { stopped: "AppGone", expired: "AppGone", deleting: "AppGone", deleted: "AppGone" }
  switch (seen.call) {
    case "begin":
      return { stopped: "AppNotLive", expired: "AppNotLive", deleting: "AppNotLive", deleted: "AppGone" }
    case "revise":
      return { expired: "AppNotLive", deleting: "AppNotLive", deleted: "AppGone" }
    case "activate":
      return gone
    case "finish":
      return seen.outcome.status === "healthy" ? gone : {}
    default:
      return {}
  }
}

const isRepeated = (seen: Seen): boolean => seen.call === "begin" && seen.value?.created === false

const objection = (ledger: Ledger, seen: Seen): string | undefined => {
  const app = appOf(seen)
  const status = app === undefined ? undefined : ledger.statuses.get(app)
  if (status === undefined) return undefined
  const { refusal } = seen
  const due = refusals(seen)[status]
  if (refusal === "AppGone" || refusal === "AppNotLive") {
    return refusal === due ? undefined : `${seen.call} was refused with ${refusal} by an App that is ${status}`
  }
  const mayLoseLease = (seen.call === "activate" || seen.call === "finish") && !isDone(seen)
  const allowed = due === undefined || mayLoseLease || (isRepeated(seen) && status !== "deleted")
  return allowed ? undefined : `${seen.call} was not refused with ${due} by an App that is ${status}`
}

/** An App that is not live comes back in no way. */
export const liveness = makeRule<null>({
  id: "INV-6",
  start: null,
  objection,
  after: () => null,
  look: Effect.fnUntraced(function* (known) {
    const apps = yield* AppStore
    const serving = (yield* (yield* DeploymentStore).serving).map(({ app }) => app.id)
    const statuses = yield* Effect.forEach(
      known.apps,
      ({ id }) =>
        Effect.match(apps.get(id), {
          onSuccess: ({ status }) => [id, status] as const,
          onFailure: () => [id, "deleted"] as const
        }),
      { concurrency: 8 }
    )
    return { statuses: new Map(statuses), dead: statuses.filter(([id, is]) => is !== "live" && serving.includes(id)) }
  }),
  expected: ({ statuses }) => ({ statuses: new Map(statuses), dead: [] })
})
