// Every transition is told exactly once, and what happened to one thing is told in the order in which it happened.

import type { AppId } from "@lockkeeper/core/domain/App"
import type { Event, EventId } from "@lockkeeper/core/domain/Event"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import type { Known } from "../Known.ts"
import { type Entry, type Ledger, put, queuedOf, recorded } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import { isDone, type Seen } from "../Seen.ts"

interface Told {
  readonly type: Event["type"]
  readonly subject: string
}

/** The status that a Deployment came to, if a call moved it. */
const moved = (before: Ledger, seen: Seen, entry: Pick<Entry, "id"> | undefined): ReadonlyArray<Told> => {
  const stage = entry && recorded(before, seen).deployments.get(entry.id)?.stage
  return entry === undefined || stage === undefined || stage === before.deployments.get(entry.id)?.stage
    ? []
    : [{ type: `deployment.${stage}`, subject: entry.id }]
}

/** An App came to a status; then what waited of it ended. */
const appMoved = (before: Ledger, seen: Seen, app: AppId): ReadonlyArray<Told> => {
  const status = recorded(before, seen).statuses.get(app)
  return status === undefined || status === before.statuses.get(app)
    ? []
    : [{ type: `app.${status}`, subject: app }, ...moved(before, seen, queuedOf(before, app))]
}

/** What a call is told as, in order. */
const told = (ledger: Ledger, seen: Seen): ReadonlyArray<Told> => {
  if (!isDone(seen)) return []
  switch (seen.call) {
    case "register":
      return seen.value === undefined ? [] : [{ type: "app.live", subject: seen.value.id }]
    case "begin": {
      if (seen.value?.created !== true) return []
      const { app, id } = seen.value.deployment
      const displaced = moved(ledger, seen, queuedOf(ledger, app))
      const isStart = seen.request.trigger.kind === "start"
      return [...displaced, ...(isStart ? appMoved(ledger, seen, app) : []), ...moved(ledger, seen, { id })]
    }
    case "withdraw":
    case "requestCancel":
      return moved(ledger, seen, ledger.deployments.get(seen.deployment))
    case "admit":
      return moved(ledger, seen, seen.value?.deployment)
    case "built":
    case "finish":
      return moved(ledger, seen, seen.claim.deployment)
    case "mark":
    case "settle":
      return appMoved(ledger, seen, seen.call === "mark" ? seen.app : seen.ending.app.id)
    case "claimExpired":
      return (seen.value ?? []).flatMap(({ id }) => appMoved(ledger, seen, id))
    case "revise":
      return seen.value?.applied.changed === true ? [{ type: "env.changed", subject: seen.app }] : []
    default:
      return []
  }
}

const parts = (id: EventId): readonly [bigint, bigint] => {
  const [transaction = "", number = ""] = id.split("-")
  return [BigInt(transaction), BigInt(number)]
}

const byId = (a: Event, b: Event): number => {
  const [[one, other], [first, second]] = [parts(a.id), parts(b.id)]
  return one === first ? Number(other - second) : Number(one - first)
}

type BySubject = ReadonlyMap<string, ReadonlyArray<Event["type"]>>

const bySubject = (events: ReadonlyArray<Told>): BySubject =>
  new Map(
    [...Map.groupBy(events, ({ subject }) => subject)].map(([subject, each]) => [subject, each.map(({ type }) => type)])
  )

const inOrder = (events: ReadonlyArray<Told>) => events.map(({ subject, type }) => `${type} ${subject}`)

const read = Effect.fnUntraced(function* (known: Known) {
  const tenants = new Set(known.apps.map(({ tenant }) => tenant))
  const events = yield* Effect.forEach(tenants, Given.eventsOf)
  return events.flat().sort(byId)
})

/** Each thing that happened is one Event, in the order in which they happened. */
export const events = makeRule<ReadonlyArray<Told>>({
  id: "U7 X12",
  start: [],
  objection: () => undefined,
  after: (events, seen, ledger) => [...events, ...told(ledger, seen)],
  look: (known) => Effect.map(read(known), inOrder),
  expected: (_, events) => inOrder(events),
  looksLate: true
})

/** Each thing that happened is one Event, and those of one subject are in order, whatever else happened meanwhile. */
export const eventsBySubject = makeRule<BySubject>({
  id: "U7 X12",
  start: new Map(),
  objection: () => undefined,
  after: (events, seen, ledger) =>
    told(ledger, seen).reduce(
      (told, { subject, type }) => put(told, subject, [...(told.get(subject) ?? []), type]),
      events
    ),
  look: (known) => Effect.map(read(known), bySubject),
  expected: (_, events) => events,
  looksLate: true
})
