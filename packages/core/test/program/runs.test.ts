// Runs as programs: made, measured, ended and removed, with nothing left behind however they end.
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Target } from "../../src/domain/Run.ts"
import { JobCap } from "../../src/domain/Tenant.ts"
import { NodeName, ResultFile } from "../../src/domain/Topology.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { beginRun } from "../../src/program/beginRun.ts"
import { cancelRun } from "../../src/program/cancelRun.ts"
import { runTopology } from "../../src/program/runTopology.ts"
import { runWithFault } from "../../src/testing/everyFailpoint.ts"
import { fails, hangs } from "../../src/testing/Reaction.ts"
import { aNode, type Declared } from "../support/topologies.ts"
import { whileTimePasses } from "./invariants.ts"
import { asked, begunRun, left, nothing, refusedWith, saidOf, statusesOf, twoNodes } from "./runWorld.ts"
import { startReplica, world } from "./scripted.ts"

/** Runs it to its end on a replica of its own. */
const ran = Effect.fnUntraced(function* (declared: Declared) {
  const replica = yield* startReplica("one")
  return yield* whileTimePasses(replica.run(runTopology(yield* asked(declared))), 4_000)
})

const stepIn = (node: string, ...command: readonly [string, ...ReadonlyArray<string>]) => ({
  name: `in-${node}`,
  node,
  command
})

describe("a run", () => {
  it.effect("H41 X11: makes its nodes, takes its steps, and leaves nothing", () =>
    Effect.gen(function* () {
      const run = yield* ran(twoNodes)
      expect(run).toMatchObject({ status: "succeeded", verdict: "pass", cleanup: "done", error: null })
      expect(run.steps).toMatchObject([
        { name: "first", exitCode: 0 },
        { name: "second", exitCode: 0 }
      ])
      expect(run.nodes.map(({ status }) => status)).toStrictEqual(["gone", "gone"])
      expect(yield* statusesOf(run.id)).toStrictEqual(["provisioning", "running", "teardown", "succeeded"])
      expect(yield* left).toStrictEqual(nothing)
      expect(yield* saidOf(run.id)).toContain("db | db is up")
    }).pipe(Effect.provide(world))
  )

  it.effect("H17: says nothing of its variables and credentials in its log", () =>
    Effect.gen(function* () {
      const { nodes } = twoNodes
      const steps = [stepIn("db", "env"), stepIn("app", "credentials")]
      const run = yield* ran({ nodes, steps })
      const said = (yield* saidOf(run.id)).join("\n")
      expect(said).toContain("db | PASSWORD=***")
      expect(said).toContain("app | db=***")
      expect(said).not.toContain("the-secret")
    }).pipe(Effect.provide(world))
  )

  it.effect("H17: gives each node a credential of its own, and none to who does not wait for it", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const { provided } = yield* MemoryState
      const steps = [stepIn("db", "hold", "on")]
      const fiber = yield* Effect.forkDetach(replica.run(runTopology(yield* asked({ ...twoNodes, steps }))))
      yield* TestClock.adjust("5 seconds")
      const [place] = provided.places.values()
      const given = (name: string) => [...(place?.nodes.get(NodeName.make(name))?.spec.credentials.keys() ?? [])]
      expect(given("db")).toStrictEqual(["db"])
      expect(given("app").toSorted()).toStrictEqual(["app", "db"])
      yield* whileTimePasses(Fiber.interrupt(fiber))
    }).pipe(Effect.provide(world))
  )

  it.effect("H39: fails with its verdict when a step fails, and the steps after it are not run", () =>
    Effect.gen(function* () {
      const steps = [
        { name: "breaks", node: "db", command: ["exit", "3"] as const },
        { name: "after", node: "db", command: ["true"] as const }
      ]
      const run = yield* ran({ ...twoNodes, steps })
      expect(run).toMatchObject({ status: "failed", verdict: "fail", error: { code: "verdict" } })
      expect(run.steps).toMatchObject([{ exitCode: 3 }, { exitCode: null, failure: { code: "not_run" } }])
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H39: is judged by what its steps measured", () =>
    Effect.gen(function* () {
      const { provided } = yield* MemoryState
      provided.resultFiles.set(ResultFile.make("r.json"), new TextEncoder().encode(`{"p95": 12}`))
      const steps = [{ ...stepIn("db", "true"), resultFile: "r.json" }]
      const measured = (max: number) => ran({ ...twoNodes, steps, thresholds: [{ metric: "p95", max }] })
      expect(yield* measured(12)).toMatchObject({ status: "succeeded", verdict: "pass" })
      expect(yield* measured(11)).toMatchObject({ status: "failed", verdict: "fail", error: { code: "verdict" } })
    }).pipe(Effect.provide(world))
  )

  it.effect("H8: a step that takes too long is ended, and its run has failed and is gone", () =>
    Effect.gen(function* () {
      const steps = [
        { ...stepIn("db", "hold", "on"), timeoutSeconds: 90 },
        { name: "after", node: "db", command: ["true"] as const }
      ]
      const run = yield* ran({ ...twoNodes, steps })
      expect(run).toMatchObject({
        status: "failed",
        verdict: "inconclusive",
        error: { code: "deadline_exceeded", node: "db" }
      })
      expect(run.steps).toMatchObject([{ failure: { code: "timed_out" } }, { failure: { code: "not_run" } }])
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H39: a step of which the end is not known has no exit code, and is not said to have never begun", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      replica.script.reactions.set("Provider.perform", fails)
      const run = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
      expect(run).toMatchObject({ status: "failed", verdict: "inconclusive" })
      expect(run.steps[0]).toMatchObject({ exitCode: null, failure: { code: "cut_off" } })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H8: that is not made within half an hour has failed and is gone", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      replica.script.reactions.set("Provider.prepare#1", hangs)
      const run = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))), 4_000)
      expect(run).toMatchObject({ status: "failed", error: { code: "deadline_exceeded" } })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["refusal", "start_failed"],
    ["exit", "start_failed"]
  ] as const)(
    "B16 H42: a node that comes to %s makes it fail with %s, and those that were started are gone",
    ([what, code]) =>
      Effect.gen(function* () {
        const { provided } = yield* MemoryState
        provided.ailments.set(NodeName.make("app"), what)
        const run = yield* ran(twoNodes)
        expect(run).toMatchObject({ status: "failed", error: { code, node: "app" }, steps: [] })
        expect(yield* left).toStrictEqual(nothing)
      }).pipe(Effect.provide(world))
  )

  it.effect("H10 INV-2: a node that does not serve within its time makes it fail with unhealthy", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      replica.script.probing = Effect.never
      const run = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
      expect(run).toMatchObject({ status: "failed", error: { code: "unhealthy", node: "db" } })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("B32: whose plan cannot be recorded makes nothing", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      replica.script.reason = "unexpected"
      replica.script.reactions.set("RunStore.record#1", (_, refuse) => refuse ?? Effect.never)
      const run = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
      expect(run).toMatchObject({ status: "failed", error: { code: "store_unavailable" } })
      expect(replica.script.calls.filter((call) => /prepare|start#/.test(call))).toStrictEqual([])
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H28: has nothing to do with one beside it", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const both = Effect.all(
        [replica.run(runTopology(yield* asked(twoNodes))), replica.run(runTopology(yield* asked(twoNodes)))],
        { concurrency: 2 }
      )
      const [one, two] = yield* whileTimePasses(both)
      expect([one.status, two.status]).toStrictEqual(["succeeded", "succeeded"])
      expect(one.network).not.toStrictEqual(two.network)
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )
})

describe("a run that begins", () => {
  it.effect("K1 H37: has a slot only with a run in it, also when its caller goes away meanwhile", () =>
    Effect.gen(function* () {
      const { ports } = yield* startReplica("one")
      const { jobs, runs } = yield* MemoryState
      const program = Effect.provideContext(beginRun(yield* asked(twoNodes)), ports)
      yield* runWithFault(program, { name: "JobStore.begin", nth: 1 }, "is interrupted after")
      expect([...runs.values()].map(({ job }) => job)).toStrictEqual([...jobs.keys()])
    }).pipe(Effect.provide(world))
  )
})

describe("a run that is refused", () => {
  it.effect("H1: for a target that nobody knows leaves nothing", () =>
    Effect.gen(function* () {
      const reason = yield* refusedWith(yield* asked(twoNodes, { target: Target.make("moon") }))
      expect(reason).toMatchObject({ _tag: "TargetNotKnown", target: "moon", known: ["memory", "host"] })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H36 H27: for what is declared leaves nothing", () =>
    Effect.gen(function* () {
      const steps: Declared["steps"] = []
      const reasons = [
        yield* refusedWith(yield* asked({ nodes: [aNode("a", { image: "a:latest" })], steps })),
        yield* refusedWith(yield* asked({ nodes: [aNode("a", { dependsOn: ["a"] })], steps }))
      ]
      expect(reasons).toMatchObject([{ _tag: "MutableImage" }, { _tag: "InvalidTopology", reason: "cycle" }])
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("K1: for want of a slot gives its block of addresses back", () =>
    Effect.gen(function* () {
      const request = yield* asked(twoNodes)
      yield* (yield* DeploymentStore).setCap(request.tenant, JobCap.make(1))
      const { fiber } = yield* begunRun(yield* startReplica("one"), {
        ...request,
        ...(yield* asked({ ...twoNodes, steps: [stepIn("db", "hold", "on")] }, { tenant: request.tenant }))
      })
      yield* TestClock.adjust("5 seconds")
      const { subnets } = yield* MemoryState
      const reason = yield* refusedWith(request)
      expect(reason).toMatchObject({ _tag: "JobRefused", reason: { _tag: "JobCapReached", limit: 1, running: 1 } })
      expect(subnets.size).toBe(1)
      yield* whileTimePasses(Fiber.interrupt(fiber))
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-15: for want of addresses leaves nothing", () =>
    Effect.gen(function* () {
      const { resting } = yield* MemoryState
      resting.set("all", { subnet: { first: 0, prefix: 0 }, until: Number.POSITIVE_INFINITY })
      expect(yield* refusedWith(yield* asked(twoNodes))).toMatchObject({ _tag: "PoolExhausted" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )
})

describe("a run that is cancelled", () => {
  const cancelled = Effect.fnUntraced(function* (declared: Declared, hanging: string | undefined) {
    const replica = yield* startReplica("one")
    if (hanging !== undefined) replica.script.reactions.set(hanging, hangs)
    const { fiber, run } = yield* begunRun(replica, yield* asked(declared))
    yield* TestClock.adjust("5 seconds")
    return { fiber, run }
  })
  const held: Declared = { ...twoNodes, steps: [stepIn("db", "hold", "on")] }

  it.effect.each([
    ["its images are looked up", "Provider.resolve#1"],
    ["its nodes' network is made", "Provider.prepare#1"],
    ["a source is built", "Provider.build#1"],
    ["a node starts", "Provider.start#1"],
    ["a node is probed", "HealthProbe.probe#1"],
    ["a step goes on", undefined]
  ] as const)("INV-4 B30 B20: while %s is gone within half a second", ([, hanging]) =>
    Effect.gen(function* () {
      const { fiber, run } = yield* cancelled(held, hanging)
      yield* cancelRun(run)
      yield* TestClock.adjust("500 millis")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "cancelled", error: null, cleanup: "done" })
      const { jobs } = yield* MemoryState
      expect([...jobs.values()].map(({ job }) => job.status)).toStrictEqual(["cancelled"])
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: through the job that has its slot is gone as soon", () =>
    Effect.gen(function* () {
      const keepUntil = DateTime.addDuration(yield* DateTime.now, Duration.hours(1))
      const { fiber } = yield* begunRun(yield* startReplica("one"), yield* asked(held, { keepUntil }))
      yield* TestClock.adjust("5 seconds")
      const { jobs } = yield* MemoryState
      for (const job of jobs.keys()) yield* (yield* JobStore).requestCancel(job)
      yield* TestClock.adjust("500 millis")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "cancelled", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )
})
