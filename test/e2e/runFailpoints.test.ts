// Every failpoint that a Run reaches on the real database and the real runtime, in the program and inside of adapters:
// whatever goes wrong there, it is over in the end, says truthfully how it ended, and nothing is left of it: no containers,
// processes, networks, images, files, Credentials, blocks, Slots. Servers that are killed there are in runKills.test.ts.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer, vi } from "@effect/vitest"
import type { Run } from "@lockkeeper/core/domain/Run"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { JobCap } from "@lockkeeper/core/domain/Tenant"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Providers } from "@lockkeeper/core/port/Providers"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { reap } from "@lockkeeper/core/program/reap"
import { reapRuns } from "@lockkeeper/core/program/reapRuns"
import { Replica } from "@lockkeeper/core/program/Replica"
import { runTopology } from "@lockkeeper/core/program/runTopology"
import {
  type Fault,
  faults,
  isPossible,
  type Point,
  pointsOf,
  runWithFault
} from "@lockkeeper/core/testing/everyFailpoint"
import { failpointPorts } from "@lockkeeper/core/testing/failpointPorts"
import { failpointProviders } from "@lockkeeper/core/testing/failpointProviders"
import { failpointRunStore } from "@lockkeeper/core/testing/failpointRunStore"
import { Context, Duration, Effect, Layer, Logger } from "effect"
import { isDeepStrictEqual } from "node:util"
import { eventually } from "../harness/eventually.ts"
import { flavour } from "../harness/flavour.ts"
import { atRest } from "../harness/footprint.ts"
import { isTruthful, measured, measuring } from "../harness/measuredRun.ts"
import { portsAt } from "../harness/ports.ts"
import { sampled, soak } from "../harness/sample.ts"
import { goodApp } from "../harness/testApp.ts"
import { footprint, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 })

const terms = { ttl: Duration.millis(1_500), renewEvery: Duration.millis(300) }

/** What makes the same Run again and again, and the points on that way. Its Tenant has one Slot. */
class Maker extends Context.Service<
  Maker,
  {
    readonly points: ReadonlyArray<Point>
    readonly ran: Effect.Effect<Run, unknown>
    /** Waits until nothing is left, while another replica reaps. */
    readonly settled: Effect.Effect<void>
    readonly newest: Effect.Effect<Run | undefined>
  }
>()("test/e2e/runFailpoints/Maker") {
  static readonly layer = Layer.effect(
    Maker,
    Effect.gen(function* () {
      const { archives, place, sql } = yield* World
      const world = yield* Effect.context<World>()
      const { ports, replica } = yield* portsAt(place)
      const runs = Context.get(ports, RunStore)
      const as = (id: ReplicaId) =>
        failpointPorts(ports).pipe(
          Context.add(Providers, failpointProviders(Context.get(ports, Providers))),
          Context.add(RunStore, failpointRunStore(runs)),
          Context.add(Replica, { id, terms })
        )
      const [own, other] = [as(replica), as(ReplicaId.make("replica-other"))]

      yield* Context.get(ports, DeploymentStore).setCap(measured.tenant, JobCap.make(1))
      const topology = measuring(yield* archives.source(goodApp("measured")))
      const ran = Effect.provideContext(runTopology({ ...measured, topology }), own)
      assert.strictEqual((yield* ran).status, "succeeded")
      const points = yield* pointsOf(ran)

      // The block of a Run that is not on record lapses in ten minutes; that somebody finds it then is tried with servers.
      const lapsing = sql<{ readonly count: number }>`select count(*)::int as count from subnets s
        where s.owner like 'run_%' and not exists (select from runs r where r.id = s.owner)`
      const seen = Effect.gen(function* () {
        yield* Effect.provideContext(Effect.andThen(Effect.ignore(reap()), Effect.ignore(reapRuns())), other)
        const found = yield* Effect.provideContext(footprint(), world)
        const [row] = yield* lapsing
        return { ...found, blocks: found.blocks - (row?.count ?? 0) }
      })
      const isSettled = (what: object) => isDeepStrictEqual({ ...what }, { ...atRest(0) })
      const settled = Effect.asVoid(Effect.orDie(eventually("it settles", seen, isSettled, "30 seconds")))
      const newest = Effect.orDie(
        Effect.map(runs.list({ tenant: measured.tenant }, { limit: 1 }), ({ items }) => items[0])
      )
      return { points, ran, settled, newest }
    })
  ).pipe(Layer.provide(NodeServices.layer), Layer.provideMerge(Logger.layer([])), Layer.provideMerge(World.layer()))
}

/** Makes a Run with a fault at a point; dies when what must hold afterwards does not. */
const tried = Effect.fnUntraced(function* (point: Point, fault: Fault) {
  const { newest, ran, settled } = yield* Maker
  const before = yield* newest
  const { exit, reached } = yield* runWithFault(ran, point, fault)
  const check = Effect.gen(function* () {
    yield* settled
    const run = yield* newest
    if (exit?._tag === "Success") assert.deepInclude(run, { id: exit.value.id, status: exit.value.status })
    if (run === undefined || run.id === before?.id) return
    yield* isTruthful(run)
    if (run.status === "cancelled") assert.match(fault, /interrupted/)
  })
  yield* Effect.catchDefect(check, (defect) =>
    Effect.die(new Error(`${point.name}#${point.nth} ${fault}: ${String(defect)}`))
  )
  return reached
})

/** What is cut off for real is in runKills.test.ts: here the process lives on, and keeps what only its end would sweep. */
const inProcess = faults.filter((fault) => !fault.startsWith("is cut off"))

layer(Maker.layer, { excludeTestServices: true, timeout: 60_000 })(
  "INV-7 INV-15 H29 H37 H38 H41 a run that at any one point",
  (it) => {
    it.effect.each(inProcess)("%s is over, tells the truth, and leaves nothing", (fault) =>
      Effect.gen(function* () {
        const { points, ran } = yield* Maker
        const possible = points.filter((point) => isPossible(point, fault))
        assert.isAbove(possible.length, 20, possible.map(({ name }) => name).join())
        const chosen = sampled(possible, 2)
        const reached = yield* Effect.forEach(chosen, (point) => tried(point, fault))
        const hits = reached.filter(Boolean).length
        soak.count(`failpoints of a run, ${flavour}`, { attempts: chosen.length, "point reached": hits })
        assert.isAtLeast(hits, chosen.length / 2)
        assert.strictEqual((yield* ran).status, "succeeded", "the next one")
      })
    )
  }
)
