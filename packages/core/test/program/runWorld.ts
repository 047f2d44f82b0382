// What tests of Runs ask for, and what must be so when nothing of one is in progress, read from the state itself.
import { expect } from "@effect/vitest"
import { Clock, DateTime, Duration, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { RunName, RunStatus, type RunId } from "../../src/domain/Run.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { RunStore } from "../../src/port/RunStore.ts"
import { beginRun, type TopologyRequest } from "../../src/program/beginRun.ts"
import { carryOutRun } from "../../src/program/carryOutRun.ts"
import { runTopology } from "../../src/program/runTopology.ts"
import { freshTenant } from "../../src/testing/Fixture.ts"
import { aNode, type Declared, topology } from "../support/topologies.ts"
import { type ScriptedReplica, startReplica } from "./scripted.ts"

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

/** Two nodes, one of them built from a Source, and two steps. */
export const twoNodes: Declared = {
  nodes: [
    aNode("db", { ports: [5432], env: { PASSWORD: "the-secret-of-the-run" } }),
    {
      name: "app",
      source: { type: "archive", url: "https://sources.example/app.tar.gz", sha256: "a".repeat(64) },
      dependsOn: ["db"]
    }
  ],
  steps: [
    { name: "first", node: "app", command: ["true"] },
    { name: "second", node: "db", command: ["env"] }
  ]
}

/**
 * What is left of all Runs: places, blocks of addresses of Runs that are on record, or whose reservation is not over, Jobs in
 * a Slot, Runs that are in progress or not removed, trees of Sources.
 */
export const left = Effect.gen(function* () {
  const { jobs, provided, runs, subnets, trees } = yield* MemoryState
  const now = yield* Clock.currentTimeMillis
  const recorded = new Set<string>(runs.keys())
  return {
    places: provided.places.size,
    blocks: [...subnets.values()].filter(({ lease, until }) => until > now || recorded.has(lease.owner)).length,
    slots: [...jobs.values()].filter(({ job }) => job.status === "running").length,
    runs: [...runs.values()].filter(({ run }) => run.finishedAt === null || run.cleanup === "pending").length,
    trees: trees.size
  }
})

/** Nothing is. */
export const nothing = { places: 0, blocks: 0, slots: 0, runs: 0, trees: 0 }

/** The statuses that a Run went through, as its Events tell. */
export const statusesOf = Effect.fnUntraced(function* (run: RunId) {
  const { events } = yield* MemoryState
  return events
    .filter(({ subject }) => subject === run)
    .map(({ type }) => Schema.decodeUnknownSync(RunStatus)(type.replace("run.", "")))
})

/** What the log of a Run says. */
export const saidOf = Effect.fnUntraced(function* (run: RunId) {
  const { logs } = yield* MemoryState
  return (logs.get(`run/${run}`)?.lines ?? []).map(({ line }) => line)
})

/** Why a Run is refused. */
export const refusedWith = Effect.fnUntraced(function* (request: TopologyRequest) {
  const replica = yield* startReplica("refusing")
  const error = yield* Effect.flip(replica.run(runTopology(request)))
  return error._tag === "RunRefused" ? error.reason : yield* Effect.die(error)
})

/** Begins a Run and carries it out in the background, as a server does. */
export const begunRun = Effect.fnUntraced(function* (replica: ScriptedReplica, request: TopologyRequest) {
  const hand = yield* replica.run(beginRun(request))
  const fiber = yield* Effect.forkDetach(replica.run(carryOutRun(hand)))
  return { fiber, run: hand.run.run.id }
})

/** The time in so many minutes. */
export const inMinutes = (minutes: number) => Effect.map(DateTime.now, DateTime.addDuration(Duration.minutes(minutes)))

/** A Run as it stands. */
export const present = (run: RunId) => Effect.flatMap(RunStore, (runs) => runs.get(run))

/** A Run that is kept for an hour, or as long as is said, after its steps. */
export const kept = Effect.fnUntraced(function* (replica: ScriptedReplica, minutes = 60) {
  const begun = yield* begunRun(replica, yield* asked(twoNodes, { keepUntil: yield* inMinutes(minutes) }))
  yield* TestClock.adjust("1 minute")
  expect(yield* present(begun.run)).toMatchObject({ status: "running", verdict: "pass" })
  return begun
})
