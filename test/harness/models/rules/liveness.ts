// INV-6, as far as Apps end: an App that is not live begins nothing, takes no traffic and gets no Release, and one that
// expired keeps its Env.

import type { App, AppId, AppStatus } from "@lockkeeper/core/domain/App"
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
    case "mark":
    case "setExpiry":
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
  const notLive = { stopped: "AppNotLive", expired: "AppNotLive", deleting: "AppNotLive", deleted: "AppGone" }
  const gone = { stopped: "AppGone", expired: "AppGone", deleting: "AppGone", deleted: "AppGone" }
  switch (seen.call) {
    case "begin":
      return seen.request.trigger.kind === "start"
        ? { live: "AppNotStopped", expired: "AppNotStopped", deleting: "AppNotStopped", deleted: "AppGone" }
        : notLive
    case "setExpiry":
      return notLive
    case "mark":
      return seen.to === "stopped"
        ? { expired: "AppNotLive", deleting: "AppNotLive", deleted: "AppGone" }
        : { deleted: "AppGone" }
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

const wronglyExpired = (ledger: Ledger, expired: ReadonlyArray<App>, limit: number, alone: boolean) => {
  const due = [...ledger.over].filter((app) => ["live", "stopped"].includes(ledger.statuses.get(app) ?? ""))
  const wrong = expired.find(({ id }) => !due.includes(id))
  if (wrong !== undefined) return `${wrong.id} expired, and its time is not over`
  const wanted = Math.min(limit, due.length)
  return alone && expired.length !== wanted ? `${expired.length} of ${wanted} Apps expired` : undefined
}

const objection = (ledger: Ledger, seen: Seen, _: null, alone: boolean): string | undefined => {
  if (seen.call === "claimExpired") return wronglyExpired(ledger, seen.value ?? [], seen.limit, alone)
  const app = appOf(seen)
  const status = app === undefined ? undefined : ledger.statuses.get(app)
  if (status === undefined) return undefined
  const { refusal } = seen
  const due = refusals(seen)[status]
  if (refusal === "AppGone" || refusal === "AppNotLive" || refusal === "AppNotStopped") {
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
