// RetentionStores that make the mistakes their contract exists for.

import { Duration, Effect } from "effect"
import type { SweepKind } from "../../src/domain/Retention.ts"
import type { JobRow, LogRow, MemoryTables } from "../../src/port/MemoryState.ts"
import { RetentionStore } from "../../src/port/RetentionStore.ts"
import { altered, type Broken } from "./Broken.ts"

type Store = RetentionStore["Service"]
type Sweep = Store["sweep"]

/** A store that sweeps one class otherwise. */
const sweeping = (kind: SweepKind, sweep: (original: Sweep, state: MemoryTables) => Sweep) =>
  altered(RetentionStore, (original, state) => {
    const other = sweep(original.sweep, state)
    return {
      sweep: (asked, terms, limit) => (asked === kind ? other : original.sweep)(asked, terms, limit)
    }
  })

/** One that does something else first. */
const after =
  (first: (state: MemoryTables) => void) =>
  (original: Sweep, state: MemoryTables): Sweep =>
  (kind, terms, limit) =>
    Effect.andThen(
      Effect.sync(() => first(state)),
      original(kind, terms, limit)
    )

/** One that does something more. */
const andThen =
  (more: (state: MemoryTables) => void) =>
  (original: Sweep, state: MemoryTables): Sweep =>
  (kind, terms, limit) =>
    Effect.tap(original(kind, terms, limit), () => Effect.sync(() => more(state)))

/** Replaces rows of Jobs. */
const replaced =
  (other: (row: JobRow) => JobRow) =>
  ({ jobs }: MemoryTables): void => {
    for (const [id, row] of jobs) jobs.set(id, other(row))
  }

/** Forgets all lines of some logs. */
const emptied =
  (which: (log: LogRow) => boolean) =>
  ({ logs }: MemoryTables): void => {
    for (const log of logs.values()) {
      if (!which(log)) continue
      log.swept = log.lines.at(-1)?.seq ?? log.swept
      log.lines.length = 0
    }
  }

/** Broken RetentionStores. */
export const brokenRetentionStores: ReadonlyArray<Broken> = [
  {
    what: "a RetentionStore that takes a Batch that failed for one that is over",
    contract: "RetentionStore",
    violates: ["K4"],
    layer: sweeping(
      "jobs",
      after(
        replaced((row) =>
          row.job.kind === "batch" && row.job.status === "failed" ? { ...row, ttlSeconds: row.ttlSeconds ?? 0 } : row
        )
      )
    )
  },
  {
    what: "a RetentionStore that sweeps a Job that runs",
    contract: "RetentionStore",
    violates: ["K7 a Job goes"],
    layer: sweeping(
      "jobs",
      andThen(({ jobs }) => {
        for (const [id, { job }] of jobs) if (job.status === "running") jobs.delete(id)
      })
    )
  },
  {
    what: "a RetentionStore that sweeps Jobs of any age",
    contract: "RetentionStore",
    violates: ["K7 a Job goes"],
    layer: sweeping(
      "jobs",
      (original) => (kind, terms, limit) => original(kind, { ...terms, age: Duration.zero }, limit)
    )
  },
  {
    what: "a RetentionStore that does not ask how long a Job itself says",
    contract: "RetentionStore",
    violates: ["X10"],
    layer: sweeping("jobs", after(replaced((row) => ({ ...row, ttlSeconds: undefined }))))
  },
  {
    what: "a RetentionStore that sweeps a Run of which something is left",
    contract: "RetentionStore",
    violates: ["H38"],
    layer: sweeping(
      "runs",
      after(({ runs }) => {
        for (const row of runs.values()) if (row.run.finishedAt !== null) row.run = { ...row.run, cleanup: "done" }
      })
    )
  },
  {
    what: "a RetentionStore that keeps what was said in a Run that has ended",
    contract: "RetentionStore",
    violates: ["H13 the lines of a Run"],
    layer: sweeping(
      "logs",
      (original, { runs }) =>
        (kind, terms, limit) =>
          Effect.suspend(() => {
            const rows = [...runs]
            runs.clear()
            const restored = Effect.sync(() => {
              for (const [id, row] of rows) runs.set(id, row)
            })
            return Effect.ensuring(original(kind, terms, limit), restored)
          })
    )
  },
  {
    what: "a RetentionStore that sweeps more than it is asked to",
    contract: "RetentionStore",
    violates: ["K7 a sweep removes"],
    layer: sweeping("jobs", (original) => (kind, terms, limit) => original(kind, terms, limit * 100))
  },
  {
    what: "a RetentionStore that counts what somebody else removed",
    contract: "RetentionStore",
    violates: ["K7 of several", "H38"],
    layer: sweeping("jobs", (original, { jobs }) =>
      Effect.fnUntraced(function* (kind, terms, limit) {
        const done = [...jobs.values()].filter(
          ({ job, ttlSeconds }) => job.status === "succeeded" && ttlSeconds === undefined
        )
        const part = done.slice(0, limit)
        if (part.length === 0 || Duration.toMillis(terms.age) > 0) return yield* original(kind, terms, limit)
        yield* Effect.yieldNow
        for (const { job } of part) jobs.delete(job.id)
        return part.length
      })
    )
  },
  {
    what: "a RetentionStore that sweeps the newest Deployment of an App",
    contract: "RetentionStore",
    violates: ["K7 Deployments", "INV-6"],
    layer: sweeping(
      "deployments",
      andThen(({ deployments }) => {
        for (const [id, { deployment }] of deployments) if (deployment.status === "cancelled") deployments.delete(id)
      })
    )
  },
  {
    what: "a RetentionStore that sweeps the Deployment under whose Fence traffic is led",
    contract: "RetentionStore",
    violates: ["INV-2"],
    layer: sweeping(
      "deployments",
      andThen(({ deployments }) => {
        for (const [id, { deployment }] of deployments) if (deployment.status === "failed") deployments.delete(id)
      })
    )
  },
  {
    what: "a RetentionStore that forgets how far a Subscriber was told that is still there",
    contract: "RetentionStore",
    violates: ["X12 a Subscription", "X12 Events go"],
    layer: sweeping(
      "subscriptions",
      andThen(({ subscriptions }) => subscriptions.clear())
    )
  },
  {
    what: "a RetentionStore that keeps no Releases to go back to",
    contract: "RetentionStore",
    violates: ["INV-9 Releases go"],
    layer: sweeping("releases", (original) => (kind, terms, limit) => original(kind, { ...terms, newest: 0 }, limit))
  },
  {
    what: "a RetentionStore that does not ask what a Deployment in progress is made from",
    contract: "RetentionStore",
    violates: ["INV-9 a Release stays"],
    layer: sweeping(
      "releases",
      after(({ deployments }) => {
        for (const row of deployments.values()) row.ofRelease = undefined
      })
    )
  },
  {
    what: "a RetentionStore that forgets what an Env was made of",
    contract: "RetentionStore",
    violates: ["E10"],
    layer: sweeping(
      "revisions",
      andThen(({ revisions }) => {
        for (const rows of revisions.values()) rows.splice(0, rows.length - 1)
      })
    )
  },
  {
    what: "a RetentionStore that forgets where a Workload's output is to be read on",
    contract: "RetentionStore",
    violates: ["X1 of the log", "H13 the lines of a Run"],
    layer: sweeping("logs", andThen(emptied(({ ended }) => !ended)))
  },
  {
    what: "a RetentionStore that begins anew with the numbers of lines",
    contract: "RetentionStore",
    violates: ["H13 the lines of a Job"],
    layer: sweeping(
      "logs",
      andThen(({ logs }) => {
        for (const log of logs.values()) log.swept = 0
      })
    )
  },
  {
    what: "a RetentionStore that forgets that a log has ended",
    contract: "RetentionStore",
    violates: ["X1 the lines"],
    layer: sweeping(
      "logs",
      andThen(({ logs }) => {
        for (const [name, { lines }] of logs) if (lines.length === 0 && !name.startsWith("job/")) logs.delete(name)
      })
    )
  },
  {
    what: "a RetentionStore that does not ask what a Subscriber has been told",
    contract: "RetentionStore",
    violates: ["X12 Events go"],
    layer: sweeping(
      "events",
      andThen(({ events }) => void events.splice(0))
    )
  },
  {
    what: "a RetentionStore that sweeps keys that are in use",
    contract: "RetentionStore",
    violates: ["X4"],
    layer: sweeping(
      "reservations",
      andThen(({ reservations }) => reservations.clear())
    )
  },
  {
    what: "a RetentionStore that sweeps intents that are open",
    contract: "RetentionStore",
    violates: ["INV-7"],
    layer: sweeping(
      "intents",
      andThen(({ intents }) => intents.clear())
    )
  },
  {
    what: "a RetentionStore that sweeps an App of which something is left",
    contract: "RetentionStore",
    violates: ["INV-6"],
    layer: sweeping(
      "apps",
      andThen(({ apps }) => {
        for (const [id, { app }] of apps) if (app.status === "deleted") apps.delete(id)
      })
    )
  },
  {
    what: "a RetentionStore that does not know how much there is",
    contract: "RetentionStore",
    violates: ["K8"],
    layer: altered(RetentionStore, ({ usage }) => ({
      usage: Effect.map(usage, (classes) => ({ ...classes, jobs: { rows: -1, bytes: null } }))
    }))
  }
]
