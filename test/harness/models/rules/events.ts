// Every transition is told exactly once, and what happened to one thing is told in the order in which it happened.

import type { Event, EventId } from "@lockkeeper/core/domain/Event"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import type { Known } from "../Known.ts"
import { type Ledger, put } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import { isDone, type Seen } from "../Seen.ts"

interface Told {
  readonly type: Event["type"]
  readonly subject: string
}

const told = ({ deployments }: Ledger, seen: Seen): Told | undefined => {
  if (!isDone(seen)) return undefined
  switch (seen.call) {
    case "register":
      return seen.value && { type: "app.live", subject: seen.value.id }
    case "begin":
      return seen.value?.created ? { type: "deployment.queued", subject: seen.value.deployment.id } : undefined
    case "withdraw":
      return deployments.get(seen.deployment)?.stage === "queued"
        ? { type: "deployment.cancelled", subject: seen.deployment }
        : undefined
    case "admit":
      return seen.value && { type: "deployment.building", subject: seen.value.deployment.id }
    case "built":
      return { type: "deployment.deploying", subject: seen.claim.deployment.id }
    case "finish":
      return { type: `deployment.${seen.outcome.status}`, subject: seen.claim.deployment.id }
    case "revise":
      return seen.value?.applied.changed ? { type: "env.changed", subject: seen.app } : undefined
    default:
      return undefined
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
  after: (events, seen, ledger) => {
    const event = told(ledger, seen)
    return event === undefined ? events : [...events, event]
  },
  look: (known) => Effect.map(read(known), inOrder),
  expected: (_, events) => inOrder(events),
  looksLate: true
})

/** Each thing that happened is one Event, and those of one subject are in order, whatever else happened meanwhile. */
export const eventsBySubject = makeRule<BySubject>({
  id: "U7 X12",
  start: new Map(),
  objection: () => undefined,
  after: (events, seen, ledger) => {
    const event = told(ledger, seen)
    return event === undefined ? events : put(events, event.subject, [...(events.get(event.subject) ?? []), event.type])
  },
  look: (known) => Effect.map(read(known), bySubject),
  expected: (_, events) => events,
  looksLate: true
})
