// How long what Lockkeeper keeps is kept: the one table from which sweeps, gauges and docs/retention.md are made. A class is
// what is kept and swept alike; each table of a database belongs to one.
import { Duration } from "effect"

/**
 * How a class is kept. `age` counts from what `since` says, and null is for as long as what `holds` says; `newest` of each
 * App stay, whatever their age. With `isSettable` an operator may choose another age.
 */
export interface RetentionRule {
  readonly what: string
  readonly age: Duration.Duration | null
  readonly since: string
  readonly newest: number
  /** What stays, whatever its age, and why. */
  readonly holds: string
  readonly isSettable: boolean
}

/** Every class with its rule, in the order in which they are swept: what others name comes after these. */
export const retention = {
  reservations: {
    what: "idempotency keys and the answers under them",
    age: Duration.hours(24),
    since: "the key was reserved",
    newest: 0,
    holds: "nothing",
    isSettable: false
  },
  subscriptions: {
    what: "how far a subscriber has been told",
    age: Duration.days(90),
    since: "it was told last; a subscriber that comes back later begins anew",
    newest: 0,
    holds: "nothing",
    isSettable: true
  },
  events: {
    what: "events",
    age: Duration.days(30),
    since: "it happened",
    newest: 0,
    holds: "what a subscription has not been told",
    isSettable: true
  },
  logs: {
    what: "lines of logs, of deployments, apps, jobs and runs",
    age: Duration.days(30),
    since: "the line was stored",
    newest: 0,
    holds: "the last lines of a log that goes on: what an app says next is stored behind them",
    isSettable: true
  },
  intents: {
    what: "journal entries of what was started",
    age: Duration.days(7),
    since: "what it made was released",
    newest: 0,
    holds: "an entry that is not released: it is how a leftover is found",
    isSettable: false
  },
  runs: {
    what: "runs, with their logs",
    age: Duration.days(90),
    since: "it ended",
    newest: 0,
    holds: "a run that has not ended, or of which something may be left",
    isSettable: true
  },
  jobs: {
    what: "jobs, their items and checkpoints",
    age: Duration.days(90),
    since: "it ended; a job with `ttlSeconds` goes after these instead",
    newest: 0,
    holds:
      "a job that has not ended, or in whose slot a run was that is there; a batch that failed or was cancelled, unless it has `ttlSeconds` or its app is deleted: run again, it goes on with what is left",
    isSettable: true
  },
  deployments: {
    what: "deployments without a release, and their history",
    age: Duration.days(90),
    since: "it ended",
    newest: 1,
    holds: "one that has not ended; the newest of an app, whose number is the last, and the one whose fence is",
    isSettable: true
  },
  releases: {
    what: "releases, with their deployments and history",
    age: Duration.days(365),
    since: "it was made",
    newest: 5,
    holds:
      "the one that serves; those to which one can go back (`LOCKKEEPER_RETAIN_RELEASES`); what a job or a deployment in progress names",
    isSettable: true
  },
  revisions: {
    what: "revisions of an env: their values, and who changed which names",
    age: Duration.days(365),
    since: "it was made",
    newest: 0,
    holds: "what it takes to read the present revision and every one that a release or a deployment in progress names",
    isSettable: true
  },
  apps: {
    what: "apps that are deleted, and their routes",
    age: Duration.days(90),
    since: "it was asked to be deleted",
    newest: 0,
    holds: "an app that is not deleted; one of which deployments, jobs or revisions are left",
    isSettable: true
  },
  slots: {
    what: "slots that are taken",
    age: null,
    since: "",
    newest: 0,
    holds: "the work that it is for has not ended; then it is given back",
    isSettable: false
  },
  subnets: {
    what: "blocks of addresses that somebody has, and those that rest or were given before",
    age: null,
    since: "",
    newest: 0,
    holds: "it is as large as the most that were ever given at once",
    isSettable: false
  },
  tenants: {
    what: "tenants",
    age: null,
    since: "",
    newest: 0,
    holds: "it is a name, a cap, and a place among others",
    isSettable: false
  },
  installation: {
    what: "the installation's id, its migrations, named leases and counters",
    age: null,
    since: "",
    newest: 0,
    holds: "there are a few of them, and they do not become more",
    isSettable: false
  }
} as const satisfies Readonly<Record<string, RetentionRule>>

/** A class of what is kept. */
export type RetentionKind = keyof typeof retention

/** A class that is swept. */
export type SweepKind = { [K in RetentionKind]: (typeof retention)[K]["age"] extends null ? never : K }[RetentionKind]

/** A class whose age an operator may choose. */
export type RetentionSetting = {
  [K in SweepKind]: (typeof retention)[K]["isSettable"] extends true ? K : never
}[SweepKind]

const isKind = (name: string): name is RetentionKind => Object.hasOwn(retention, name)

const isSweepKind = (kind: RetentionKind): kind is SweepKind => retention[kind].age !== null

/** Whether there is a class of this name whose age an operator may choose. */
export const isRetentionSetting = (name: string): name is RetentionSetting => isKind(name) && retention[name].isSettable

/** Every class. */
export const retentionKinds: ReadonlyArray<RetentionKind> = Object.keys(retention).filter(isKind)

/** The classes that are swept, in the order in which that is done. */
export const sweepKinds: ReadonlyArray<SweepKind> = retentionKinds.filter(isSweepKind)

/** From which age on something of a class goes, and how many of the newest of each App stay. */
export interface RetentionTerms {
  readonly age: Duration.Duration
  readonly newest: number
}

/** What an operator chose: ages, and how many Releases of each App stay to go back to. */
export interface RetentionChoice {
  readonly ages?: { readonly [K in RetentionSetting]?: Duration.Duration | undefined } | undefined
  readonly releases?: number | undefined
}

/** The terms of a class: those of the table, or what was chosen in their place. */
export const retentionTerms = (kind: SweepKind, { ages = {}, releases }: RetentionChoice = {}): RetentionTerms => {
  const { age, newest } = retention[kind]
  const chosen = isRetentionSetting(kind) ? ages[kind] : undefined
  return { age: chosen ?? age, newest: kind === "releases" ? (releases ?? newest) : newest }
}

/** How much there is of a class, as the store estimates it; `bytes` is null where it does not know. */
export interface RetentionUsage {
  readonly rows: number
  readonly bytes: number | null
}
