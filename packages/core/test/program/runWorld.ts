// What tests of Runs ask for, and what must be so when nothing of one is in progress, read from the state itself.
import { Effect } from "effect"
import { RunName, type RunId } from "../../src/domain/Run.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import type { TopologyRequest } from "../../src/program/beginRun.ts"
import { freshTenant } from "../../src/testing/Fixture.ts"
import { type Declared, topology } from "../support/topologies.ts"

/** A request for a Run of a new Tenant. */
export const asked = Effect.fnUntraced(function* (declared: Declared, more: Partial<TopologyRequest> = {}) {
  const request: TopologyRequest = {
    tenant: yield* freshTenant,
    name: RunName.make("trial"),
    topology: topology(declared),
    ...more
  }
  return request
})

/** What is left of all Runs: places, blocks of addresses, Jobs in a Slot, Runs that are in progress or not removed. */
export const left = Effect.gen(function* () {
  const { jobs, provided, runs, subnets } = yield* MemoryState
  return {
    places: provided.places.size,
    blocks: subnets.size,
    slots: [...jobs.values()].filter(({ job }) => job.status === "running").length,
    runs: [...runs.values()].filter(({ run }) => run.finishedAt === null || run.cleanup === "pending").length
  }
})

/** Nothing is. */
export const nothing = { places: 0, blocks: 0, slots: 0, runs: 0 }

/** The statuses that a Run went through, as its Events tell. */
export const statusesOf = Effect.fnUntraced(function* (run: RunId) {
  const { events } = yield* MemoryState
  return events.filter(({ subject }) => subject === run).map(({ type }) => type.replace("run.", ""))
})
