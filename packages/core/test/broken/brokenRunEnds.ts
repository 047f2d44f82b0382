// RunStores that make mistakes where Runs end.

import { DateTime, Effect } from "effect"
import { isOver } from "../../src/domain/Run.ts"
import { publishOf } from "../../src/port/MemoryState.ts"
import { RunEnded } from "../../src/port/RunRequest.ts"
import { RunStore } from "../../src/port/RunStore.ts"
import { altered, type Broken } from "./Broken.ts"
import { changed, passedOffAs, rowOf } from "./runRow.ts"

/** RunStores that are broken where Runs end. */
export const brokenRunEnds: ReadonlyArray<Broken> = [
  {
    what: "a RunStore that ends a Run that is not torn down",
    contract: "RunStore",
    violates: ["H41 a Run runs"],
    layer: altered(RunStore, (original, state) => ({
      finish: (claim, cleanup) => {
        const row = rowOf(state, claim.run.id)
        const finish = original.finish(claim, cleanup)
        return row?.run.status === "running" ? passedOffAs(row, "teardown", finish) : finish
      }
    }))
  },
  {
    what: "a RunStore that ends a Run as failed of which it is not decided how it ends",
    contract: "RunStore",
    violates: ["H41 a Run that fails"],
    layer: altered(RunStore, (original, state) => ({
      finish: (claim, cleanup) => {
        const row = rowOf(state, claim.run.id)
        if (row?.run.status === "teardown") row.outcome ??= "failed"
        return original.finish(claim, cleanup)
      }
    }))
  },
  {
    what: "a RunStore that starts a Run again that is torn down",
    contract: "RunStore",
    violates: ["H41 a Run runs", "X12"],
    layer: altered(RunStore, (original, state) => ({
      running: (claim) => {
        const row = rowOf(state, claim.run.id)
        return row?.run.status === "teardown"
          ? passedOffAs(row, "provisioning", original.running(claim))
          : original.running(claim)
      }
    }))
  },
  {
    what: "a RunStore that keeps a Run on of which it is decided that it was cancelled",
    contract: "RunStore",
    violates: ["H40 a Run of which it is decided"],
    layer: altered(RunStore, (original, state) => ({
      settle: (claim, outcome) => {
        const keepUntil = rowOf(state, claim.run.id)?.run.keepUntil ?? null
        return Effect.map(original.settle(claim, outcome), (run) => {
          const row = rowOf(state, claim.run.id)
          if (row === undefined) return run
          return (row.run = { ...run, keepUntil })
        })
      }
    }))
  },
  {
    what: "a RunStore in which who says last how a Run ends is right",
    contract: "RunStore",
    violates: ["H39", "H40 a Run of which it is decided", "B30 a Run that is asked to end once"],
    layer: altered(RunStore, (original, state) => ({
      settle: (claim, outcome) => {
        const row = rowOf(state, claim.run.id)
        if (row?.fence === claim.fence) row.outcome = undefined
        return original.settle(claim, outcome)
      }
    }))
  },
  {
    what: "a RunStore that forgets that a Run was asked to end when its holder says how it ends",
    contract: "RunStore",
    violates: ["B30 a Run that is asked to end is", "X12"],
    layer: altered(RunStore, (original, state) => ({
      settle: (claim, outcome) => {
        changed(rowOf(state, claim.run.id), { cancelling: false })
        return original.settle(claim, outcome)
      }
    }))
  },
  {
    what: "a RunStore that cancels a Run of which it is decided how it ends",
    contract: "RunStore",
    violates: ["B30 a Run that is asked to end once"],
    layer: altered(RunStore, (original, state) => ({
      requestCancel: (id) =>
        Effect.tap(original.requestCancel(id), () =>
          Effect.sync(() => {
            const row = rowOf(state, id)
            if (row?.outcome !== undefined) row.outcome = "cancelled"
          })
        )
    }))
  },
  {
    what: "a RunStore that refuses to cancel a Run again that has ended so",
    contract: "RunStore",
    violates: ["B30 a Run that is asked to end is"],
    layer: altered(RunStore, (original) => ({
      requestCancel: (id) =>
        Effect.flatMap(original.get(id), ({ status }) =>
          isOver(status) ? Effect.fail(new RunEnded({ status })) : original.requestCancel(id)
        )
    }))
  },
  {
    what: "a RunStore that answers a Run that came out otherwise as if it could still be cancelled",
    contract: "RunStore",
    violates: ["B30 a Run that is asked to end once"],
    layer: altered(RunStore, (original) => ({
      requestCancel: (id) => Effect.catchTag(original.requestCancel(id), "RunEnded", () => original.get(id))
    }))
  },
  {
    what: "a RunStore that ends a Run a second time",
    contract: "RunStore",
    violates: ["H31 of several", "H41 a Run runs", "X12"],
    layer: altered(RunStore, (original, state) => ({
      finish: (claim, cleanup) =>
        Effect.suspend(() => {
          const row = rowOf(state, claim.run.id)
          const finish = original.finish(claim, cleanup)
          return row !== undefined && isOver(row.run.status) ? passedOffAs(row, "teardown", finish) : finish
        })
    }))
  },
  {
    what: "a RunStore that answers what is left of Runs in one order, so that those at its end are never tried",
    contract: "RunStore",
    violates: ["H38"],
    layer: altered(RunStore, (original, { runs }) => ({
      uncleaned: (limit) =>
        Effect.map(original.uncleaned(runs.size), (left) => {
          const ids = [...runs.keys()]
          return [...left].sort((a, b) => ids.indexOf(a.run) - ids.indexOf(b.run)).slice(0, limit)
        })
    }))
  },
  {
    what: "a RunStore in which nothing is left of a Run before it has ended",
    contract: "RunStore",
    violates: ["H38"],
    layer: altered(RunStore, (original, state) => ({
      cleaned: (id) =>
        Effect.andThen(
          original.cleaned(id),
          Effect.sync(() => changed(rowOf(state, id), { cleanup: "done" }))
        )
    }))
  },
  {
    what: "a RunStore that keeps the secrets of a Run that has ended",
    contract: "RunStore",
    violates: ["H17"],
    layer: altered(RunStore, (original, state) => ({
      finish: (claim, cleanup) => {
        const row = rowOf(state, claim.run.id)
        const topology = row?.topology
        return Effect.tap(original.finish(claim, cleanup), () =>
          Effect.sync(() => {
            if (row !== undefined && topology !== undefined) row.topology = topology
          })
        )
      }
    }))
  },
  {
    what: "a RunStore that says twice that a Run is torn down",
    contract: "RunStore",
    violates: ["X12"],
    layer: altered(RunStore, (original, state) => ({
      tearDown: (claim, seen) =>
        Effect.tap(original.tearDown(claim, seen), () =>
          Effect.map(DateTime.now, (now) =>
            publishOf(state, now, "run.teardown", { tenant: claim.run.tenant, app: null }, claim.run.id)
          )
        )
    }))
  }
]
