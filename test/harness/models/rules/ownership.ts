// INV-7: what was made or is about to be made is in the Journal until it is released, and whatever belongs neither to work
// in progress nor to what serves is told to be nobody's.

import type { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import { isJobId } from "@lockkeeper/core/domain/Job"
import { WorkloadName } from "@lockkeeper/core/domain/Workload"
import { type Intent, Journal } from "@lockkeeper/core/port/Journal"
import { Effect } from "effect"
import { isRunning, type Ledger, put, queuedOf, runningOf } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import { isDone, type Seen } from "../Seen.ts"

interface State {
  readonly intents: ReadonlyMap<WorkloadName, Intent & { readonly isReleased: boolean }>
  readonly serving: ReadonlyMap<AppId, DeploymentId>
}

/** A name that no run ever gives to anything. */
const neverIntended = WorkloadName.make("nothing-bears-this-name")

/** Whether of an App that has ended, under this Fence, nothing is left. */
const isLeftByAll = (ledger: Ledger, { intents }: State, app: AppId, fence: number): boolean =>
  ledger.unsettled.has(app) &&
  ["stopped", "deleting"].includes(ledger.statuses.get(app) ?? "") &&
  (ledger.fences.get(app) ?? 0) === fence &&
  queuedOf(ledger, app) === undefined &&
  runningOf(ledger, app) === undefined &&
  [...intents.values()].every((intent) => intent.app !== app || intent.isReleased)

const objection = (ledger: Ledger, seen: Seen, state: State): string | undefined => {
  if (seen.call === "settle" && isDone(seen)) {
    const { app, fence } = seen.ending
    const isDue = isLeftByAll(ledger, state, app.id, fence)
    return seen.value === isDue ? undefined : `that ${app.id} settled was answered with ${seen.value}`
  }
  if (seen.call !== "intend") return undefined
  const { deployments, statuses } = ledger
  const { intents } = state
  const { fence, name, work } = seen.intent
  const earlier = intents.get(name)
  const isFree = earlier === undefined || (earlier.work === work && earlier.fence === fence)
  const entry = isJobId(work) ? undefined : deployments.get(work)
  const isWanted = entry !== undefined && (isRunning(entry) || statuses.get(seen.intent.app) === "live")
  const may = isFree && isWanted && entry.fence === fence
  if (may) return isDone(seen) ? undefined : "the holder of the newest Fence may not intend"
  return seen.refusal === "LeaseLost"
    ? undefined
    : "it was intended under an old Fence, a name that is taken, or for an App that has ended"
}

const after = (state: State, seen: Seen): State => {
  if (!isDone(seen)) return state
  switch (seen.call) {
    case "intend": {
      const intent = { ...seen.intent, workload: null, isReleased: false }
      return { ...state, intents: put(state.intents, intent.name, intent) }
    }
    case "confirm": {
      const intent = state.intents.get(seen.workload.name)
      const confirmed = intent && put(state.intents, intent.name, { ...intent, workload: seen.workload })
      return { ...state, intents: confirmed ?? state.intents }
    }
    case "released": {
      const intent = state.intents.get(seen.name)
      return {
        ...state,
        intents: intent ? put(state.intents, seen.name, { ...intent, isReleased: true }) : state.intents
      }
    }
    case "finish":
      return seen.outcome.status === "healthy"
        ? { ...state, serving: put(state.serving, seen.claim.app.id, seen.claim.deployment.id) }
        : state
    default:
      return state
  }
}

const isOwned = ({ deployments, statuses }: Ledger, { serving }: State, { app, work }: Intent): boolean => {
  const entry = isJobId(work) ? undefined : deployments.get(work)
  return (entry !== undefined && isRunning(entry)) || (serving.get(app) === work && statuses.get(app) === "live")
}

const names = (intents: Iterable<Intent>): ReadonlyArray<string> =>
  [...intents].map(({ name, replica, workload }) => `${name} by ${replica} as ${workload?.id}`)

const groups = (intents: Iterable<Intent>, by: (intent: Intent) => string) =>
  new Map([...Map.groupBy(intents, by)].map(([key, group]) => [key, names(group)]))

/** Whatever exists is in the Journal, and is owned or told to be nobody's. */
export const ownership = makeRule<State>({
  id: "INV-7",
  start: { intents: new Map(), serving: new Map() },
  objection,
  after,
  look: Effect.fnUntraced(function* (known) {
    const journal = yield* Journal
    const apps = known.apps.map(({ id }) => id)
    const replicas = [...new Set(known.claims.map(({ replica }) => replica))]
    const held = yield* Effect.forEach(apps, journal.held, { concurrency: 8 })
    const heldBy = yield* Effect.forEach(replicas, journal.heldBy, { concurrency: 8 })
    const unowned = yield* journal.unowned(10_000)
    const unknown = yield* journal.unknown([...known.names, neverIntended])
    return {
      held: groups(held.flat(), ({ app }) => app),
      heldBy: groups(heldBy.flat(), ({ replica }) => replica),
      unowned: new Set(names(unowned)),
      unknown: new Set(unknown)
    }
  }),
  expected: (ledger, state) => {
    const open = [...state.intents.values()].filter(({ isReleased }) => !isReleased)
    const released = [...state.intents.values()].filter(({ isReleased }) => isReleased)
    return {
      held: groups(open, ({ app }) => app),
      heldBy: groups(open, ({ replica }) => replica),
      unowned: new Set(names(open.filter((intent) => !isOwned(ledger, state, intent)))),
      unknown: new Set([...released.map(({ name }) => name), neverIntended])
    }
  }
})
