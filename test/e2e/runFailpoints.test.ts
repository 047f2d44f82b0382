// Every failpoint that a Run reaches on the real database and the real runtime, in the program and inside of adapters:
// whatever goes wrong there, it is over in the end, says truthfully how it ended, and nothing is left of it: no containers,
// processes, networks, images, files, Credentials, blocks, Slots. Servers that are killed there are in runKills.test.ts.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer, vi } from "@effect/vitest"
import type { Run } from "@lockkeeper/core/domain/Run"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { JobCap } from "@lockkeeper/core/domain/Tenant"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { type FailpointReaction, Failpoints } from "@lockkeeper/core/port/failpoint"
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
import { shuffled, soak, tryUntil } from "../harness/sample.ts"
import { goodApp } from "../harness/testApp.ts"
import { footprint, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 })

const terms = { ttl: Duration.millis(1_500), renewEvery: Duration.millis(300) }

/** A program, and the points on its way. */
interface Way {
  readonly program: Effect.Effect<unknown, unknown>
  readonly points: ReadonlyArray<Point>
}

/** What makes the same Run again and again, and removes it when its holder is gone. Its Tenant has one Slot. */
class Maker extends Context.Service<
  Maker,
  {
    readonly making: Way
    /** What another replica does with a Run that is left. */
    readonly removing: Way
    readonly ran: Effect.Effect<Run, unknown>
    /** Makes a Run whose holder is gone before its step, and waits until the lease is over. */
    readonly left: Effect.Effect<void, unknown>
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
      const making = { program: ran, points: yield* pointsOf(ran) }
      // Its lease is over on the database's clock a little later than here.
      const left = Effect.andThen(
        Effect.suspend(() => Effect.provideService(ran, Failpoints, forsaken())),
        Effect.sleep("300 millis")
      )
      yield* left
      const reaped = Effect.provideContext(Effect.andThen(reap(), reapRuns()), other)
      const removing = { program: reaped, points: yield* pointsOf(reaped) }

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
      return { making, removing, ran, left, settled, newest }
    })
  ).pipe(Layer.provide(NodeServices.layer), Layer.provideMerge(Logger.layer([])), Layer.provideMerge(World.layer()))
}

/** From its step on it does nothing and renews no lease: that is lost then, and the Run left as it is. */
const forsaken = (): FailpointReaction => {
  let isForsaken = false
  return (point, effect) => {
    isForsaken ||= point === "Provider.perform"
    return isForsaken && ["Provider.perform", "JobStore.renew"].includes(point) ? Effect.never : effect
  }
}

/** Does something with a fault at a point, and dies when what must hold of the newest Run then does not. */
const tried = Effect.fnUntraced(function* (
  { program }: Pick<Way, "program">,
  point: Point,
  fault: Fault,
  check: Check
) {
  const { newest, settled } = yield* Maker
  const before = yield* newest
  const { reached } = yield* runWithFault(program, point, fault)
  const checked = Effect.gen(function* () {
    yield* settled
    const run = yield* newest
    if (run === undefined) return
    yield* isTruthful(run)
    check(run, run.id === before?.id)
  })
  yield* Effect.catchDefect(checked, (defect) =>
    Effect.die(new Error(`${point.name}#${point.nth} ${fault}: ${String(defect)}`))
  )
  return reached
})

type Check = (run: Run, wasThere: boolean) => void

/** What is cut off for real is in runKills.test.ts: here the process lives on, and keeps what only its end would sweep. */
const inProcess = faults.filter((fault) => !fault.startsWith("is cut off"))

/** Tries a fault at some of the points of a way. */
const triedAll = Effect.fnUntraced(function* (
  what: string,
  { points }: Way,
  fault: Fault,
  at: (point: Point) => Effect.Effect<boolean, unknown, Maker | World>
) {
  const { ran } = yield* Maker
  const possible = points.filter((point) => isPossible(point, fault))
  assert.isAbove(possible.length, 10, possible.map(({ name }) => name).join())
  const { attempts, hits } = yield* tryUntil(soak.of(possible, 1), shuffled(possible), at)
  soak.count(`failpoints of ${what}, ${flavour}`, { attempts, "point reached": hits })
  assert.isAtLeast(hits, Math.max(1, Math.floor(attempts / 2)))
  assert.strictEqual((yield* ran).status, "succeeded", "the next one")
})

layer(Maker.layer, { excludeTestServices: true, timeout: 60_000 })("INV-7 INV-15 H29 H37 H38 H41 a run", (it) => {
  it.effect.each(inProcess)("that at any one point %s is over, tells the truth, and leaves nothing", (fault) =>
    Effect.gen(function* () {
      const { making } = yield* Maker
      const check: Check = ({ error, status }) => {
        if (fault.startsWith("is interrupted")) assert.isNull(error)
        else assert.notStrictEqual(status, "cancelled")
      }
      yield* triedAll("a run", making, fault, (point) => tried(making, point, fault, check))
    })
  )

  it.effect.each(inProcess)(
    "H31: whose removal by another replica at any one point %s is removed all the same",
    (fault) =>
      Effect.gen(function* () {
        const { left, removing } = yield* Maker
        const check: Check = ({ error }, wasThere) => {
          assert.isTrue(wasThere)
          assert.strictEqual(error?.code, "server_lost")
        }
        yield* triedAll("the removal of a run", removing, fault, (point) =>
          Effect.andThen(left, tried(removing, point, fault, check))
        )
      })
  )
})
