// Journals that make the mistakes their contract exists for.

import { Effect } from "effect"
import { DeploymentId } from "../../src/domain/App.ts"
import { isJobId } from "../../src/domain/Job.ts"
import { Journal } from "../../src/port/Journal.ts"
import { deploymentRow, type IntentRow, jobRow, type MemoryTables } from "../../src/port/MemoryState.ts"
import { StoreError } from "../../src/port/StoreError.ts"
import { altered, type Broken } from "./Broken.ts"

const open = ({ intents }: MemoryTables, predicate: (row: IntentRow) => boolean) =>
  Effect.sync(() => [...intents.values()].filter((row) => !row.released && predicate(row)))

const deploymentOf = (state: MemoryTables, row: IntentRow) => deploymentRow(state, row.work)

const someDeployment = DeploymentId.make("dep_1")

const isOfJob = ({ work }: IntentRow) => isJobId(work)

/** Broken Journals. */
export const brokenJournals: ReadonlyArray<Broken> = [
  {
    what: "a Journal that forgets an intent once its Workload is known",
    contract: "Journal",
    violates: ["INV-7 an intent is held"],
    layer: altered(Journal, (original) => ({ confirm: ({ name }) => original.released(name) }))
  },
  {
    what: "a Journal that fails to release what it does not know",
    contract: "Journal",
    violates: ["H14"],
    layer: altered(Journal, (original, { intents }) => ({
      released: (name) =>
        intents.has(name)
          ? original.released(name)
          : Effect.fail(new StoreError({ operation: "release", reason: "unexpected", cause: "no such intent" }))
    }))
  },
  {
    what: "a Journal that answers the newest intent first",
    contract: "Journal",
    violates: ["H37", "INV-7 what a Deployment made"],
    layer: altered(Journal, (original) => ({
      held: (app) => Effect.map(original.held(app), (held) => [...held].reverse())
    }))
  },
  {
    what: "a Journal that takes intents under any Fence",
    contract: "Journal",
    violates: ["R9 an intent under", "R9 an intent of a Job", "INV-7 a name that", "INV-6"],
    layer: altered(Journal, (_, { intents }) => ({
      intend: (intent) =>
        Effect.sync(() => void intents.set(intent.name, { ...intent, workload: null, released: false }))
    }))
  },
  {
    what: "a Journal that takes an intent for an App that has ended",
    contract: "Journal",
    violates: ["INV-6"],
    layer: altered(Journal, (original, { apps }) => ({
      intend: (intent) =>
        Effect.suspend(() => {
          const row = apps.get(intent.app)
          if (row === undefined || row.app.status === "live") return original.intend(intent)
          const { app } = row
          row.app = { ...app, status: "live" }
          return Effect.ensuring(
            original.intend(intent),
            Effect.sync(() => (row.app = app))
          )
        })
    }))
  },
  {
    what: "a Journal that takes what was made before a takeover for nobody's",
    contract: "Journal",
    violates: ["INV-7 what a Deployment in progress"],
    layer: altered(Journal, (original, state) => ({
      unowned: Effect.fnUntraced(function* (limit) {
        const stale = yield* open(state, (row) => !isOfJob(row) && deploymentOf(state, row)?.fence !== row.fence)
        return [...(yield* original.unowned(limit)), ...stale].slice(0, limit)
      })
    }))
  },
  {
    what: "a Journal for which a Deployment owns what it made only while it is in progress",
    contract: "Journal",
    violates: ["INV-7 what a Deployment made"],
    layer: altered(Journal, (original, state) => ({
      unowned: Effect.fnUntraced(function* (limit) {
        const isOver = (row: IntentRow) =>
          !["building", "deploying"].includes(deploymentOf(state, row)?.deployment.status ?? "")
        const over = yield* open(state, (row) => !isOfJob(row) && isOver(row))
        const others = (yield* original.unowned(10_000)).filter(({ work }) => isJobId(work))
        return [...over, ...others].slice(0, limit)
      })
    }))
  },
  {
    what: "a Journal that answers a replica what all replicas intended",
    contract: "Journal",
    violates: ["H29"],
    layer: altered(Journal, (_, state) => ({
      heldBy: () =>
        Effect.map(
          open(state, () => true),
          (rows) => rows.flatMap(({ work, ...intent }) => (isJobId(work) ? [] : [{ ...intent, work }]))
        )
    }))
  },
  {
    what: "a Journal that knows every name that it has ever heard",
    contract: "Journal",
    violates: ["INV-7 names that no intent has"],
    layer: altered(Journal, (_, { intents }) => ({
      unknown: (names) => Effect.sync(() => names.filter((name) => !intents.has(name)))
    }))
  },
  {
    what: "a Journal that answers one unowned intent more than it was asked for",
    contract: "Journal",
    violates: ["Journal-1"],
    layer: altered(Journal, (original) => ({ unowned: (limit) => original.unowned(limit + 1) }))
  },
  {
    what: "a Journal that answers for a Job what all Jobs intended",
    contract: "Journal",
    violates: ["INV-7 an intent of a Job"],
    layer: altered(Journal, (_, state) => ({
      heldFor: (job) => Effect.map(open(state, isOfJob), (rows) => rows.map((intent) => ({ ...intent, work: job })))
    }))
  },
  {
    what: "a Journal that takes what a Job intended for its App's",
    contract: "Journal",
    violates: ["INV-7 an intent of a Job"],
    layer: altered(Journal, (original, state) => ({
      held: Effect.fnUntraced(function* (app) {
        const ofJobs = yield* open(state, (row) => isOfJob(row) && row.app === app)
        return [...(yield* original.held(app)), ...ofJobs.map((intent) => ({ ...intent, work: someDeployment }))]
      })
    }))
  },
  {
    what: "a Journal that takes an intent of a Job that has ended",
    contract: "Journal",
    violates: ["R9 an intent of a Job"],
    layer: altered(Journal, (original, state) => ({
      intend: (intent) =>
        Effect.suspend(() => {
          const row = jobRow(state, intent.work)
          if (row === undefined) return original.intend(intent)
          const { job } = row
          row.job = { ...job, status: "running" }
          return Effect.ensuring(
            original.intend(intent),
            Effect.sync(() => (row.job = job))
          )
        })
    }))
  },
  {
    what: "a Journal that takes an intent of a Job that somebody else has",
    contract: "Journal",
    violates: ["R9 an intent of a Job"],
    layer: altered(Journal, (original, state) => ({
      intend: (intent) => original.intend({ ...intent, fence: jobRow(state, intent.work)?.fence ?? intent.fence })
    }))
  },
  {
    what: "a Journal for which a Job that runs owns what it made, whoever has it",
    contract: "Journal",
    violates: ["INV-7 what a Job made"],
    layer: altered(Journal, (original, state) => ({
      unowned: (limit) =>
        Effect.map(original.unowned(limit), (intents) =>
          intents.filter(({ work }) => jobRow(state, work)?.job.status !== "running")
        )
    }))
  },
  {
    what: "a Journal for which a Job owns what it made for ever",
    contract: "Journal",
    violates: ["INV-7 what a Job made"],
    layer: altered(Journal, (original) => ({
      unowned: (limit) => Effect.map(original.unowned(limit), (intents) => intents.filter(({ work }) => !isJobId(work)))
    }))
  }
]
