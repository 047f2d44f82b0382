// Every failpoint that a deploy reaches on the real database and the real runtime, in the program and inside of adapters:
// whatever goes wrong there, one version serves, the Deployment says truthfully whether it is the new one, and nothing else
// is left of containers, networks, volumes, processes, files, keys, intents, Slots and routes.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { AppName } from "@lockkeeper/core/domain/App"
import { type DeploymentStatus, isTerminal } from "@lockkeeper/core/domain/Deployment"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { carryOut, deploy, type DeployPorts } from "@lockkeeper/core/program/deploy"
import { Providers } from "@lockkeeper/core/port/Providers"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { reap } from "@lockkeeper/core/program/reap"
import { Replica } from "@lockkeeper/core/program/Replica"
import {
  type Fault,
  faults,
  isPossible,
  type Point,
  pointsOf,
  runWithFault
} from "@lockkeeper/core/testing/everyFailpoint"
import { failpointPorts } from "@lockkeeper/core/testing/failpointPorts"
import { Context, Duration, Effect, Layer, Logger } from "effect"
import { isDeepStrictEqual } from "node:util"
import { describeWith } from "../harness/capability.ts"
import { healthCheck, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { byFlavour, flavour } from "../harness/flavour.ts"
import { atRest } from "../harness/footprint.ts"
import { GitWorld } from "../harness/gitWorld.ts"
import { portsAt } from "../harness/ports.ts"
import { shuffled, soak, tryUntil } from "../harness/sample.ts"
import { footprint, World } from "../harness/world.ts"

const terms = { ttl: Duration.millis(1_500), renewEvery: Duration.millis(300) }

/** An App with a version that serves, the ports under which it is deployed again and again, and the points on that way. */
class Victim extends Context.Service<
  Victim,
  {
    readonly url: string
    readonly points: ReadonlyArray<Point>
    readonly deployed: Effect.Effect<unknown, unknown>
    readonly settled: Effect.Effect<void>
    readonly newest: Effect.Effect<{ readonly id: string; readonly status: DeploymentStatus } | undefined>
  }
>()("test/e2e/failpoints/Victim") {
  static readonly layer = Layer.effect(
    Victim,
    Effect.gen(function* () {
      const { place, sql } = yield* World
      const { source } = yield* GitWorld
      const world = yield* Effect.context<World>()
      const { ports, replica } = yield* portsAt(place)
      const as = (id: ReplicaId) =>
        failpointPorts(ports).pipe(
          Context.add(Providers, Context.get(ports, Providers)),
          Context.add(RunStore, Context.get(ports, RunStore)),
          Context.add(Replica, { id, terms })
        )
      const [own, other] = [as(replica), as(ReplicaId.make("replica-other"))]

      const { hostPort, id: app } = yield* Context.get(ports, AppStore).register({
        tenant: TenantName.make("faults"),
        name: AppName.make("victim"),
        source,
        preDeploy: ["node", "--version"],
        healthCheck: { ...healthCheck, timeoutSeconds: 5 }
      })
      const deployed = Effect.provideContext(deploy({ app, trigger: { kind: "manual" } }), own)
      yield* deployed
      const points = yield* pointsOf(deployed)

      const round = Effect.andThen(Effect.ignore(takenFromQueue), Effect.ignore(reap()))
      const seen = Effect.andThen(Effect.provideContext(round, other), Effect.provideContext(footprint(), world))
      const isSettled = (what: object) => isDeepStrictEqual({ ...what }, { ...atRest(1) })
      const settled = Effect.asVoid(Effect.orDie(eventually("it settles", seen, isSettled, "20 seconds")))
      const rows = sql<{
        id: string
        status: DeploymentStatus
      }>`select id, status from deployments order by number desc limit 1`
      const newest = Effect.orDie(Effect.map(rows, ([row]) => row))
      return { url: `http://127.0.0.1:${hostPort}`, points, deployed, settled, newest }
    })
  ).pipe(
    Layer.provide(NodeServices.layer),
    Layer.provideMerge(Logger.layer([])),
    Layer.provideMerge(World.layer()),
    Layer.provideMerge(GitWorld.layer)
  )
}

const takenFromQueue: Effect.Effect<void, unknown, DeployPorts> = Effect.gen(function* () {
  const replica = yield* Replica
  const claim = yield* (yield* DeploymentStore).admit({ replica: replica.id, terms: replica.terms })
  if (claim !== undefined) yield* carryOut(claim)
})

/** Deploys with a fault at a point; dies when what must hold afterwards does not. */
const tried = Effect.fnUntraced(function* (point: Point, fault: Fault) {
  const { deployed, newest, settled, url } = yield* Victim
  const [before, serving] = [yield* newest, yield* serves(url, "v1")]
  const { reached } = yield* runWithFault(deployed, point, fault)
  const check = Effect.gen(function* () {
    yield* settled
    const [after, answer] = [yield* newest, yield* serves(url, "v1")]
    assert.isTrue(after === undefined || isTerminal(after.status), after?.status)
    const isNew = after?.id !== before?.id && after?.status === "healthy"
    assert.strictEqual(answer.instance !== serving.instance, isNew, `${after?.status}, and the version that serves`)
  })
  yield* Effect.catchDefect(check, (defect) => Effect.die(new Error(`${point.name}#${point.nth}: ${String(defect)}`)))
  return reached
})

/** What is cut off for real is in kills.test.ts: here the process lives on, and keeps what only its end would sweep. */
const inProcess = faults.filter((fault) => !fault.startsWith("is cut off"))

describeWith(...byFlavour({ docker: ["docker", "git", "sshd"] as const, process: ["git", "sshd"] as const }))(
  "INV-7 INV-8 U4 H37 INV-12 a deploy that at any one point",
  () => {
    layer(Victim.layer, { excludeTestServices: true, timeout: 60_000 })((it) => {
      it.effect.each(inProcess)(
        "%s leaves one version that serves, the truth about it, and nothing else",
        (fault) =>
          Effect.gen(function* () {
            const { points } = yield* Victim
            const possible = points.filter((point) => isPossible(point, fault))
            assert.isAbove(possible.length, 20, possible.map(({ name }) => name).join())
            const count = byFlavour({ docker: 2, process: 4 })
            const { attempts, hits } = yield* tryUntil(soak.of(possible, count), shuffled(possible), (point) =>
              tried(point, fault)
            )
            soak.count(`failpoints, ${flavour}`, { attempts, "point reached": hits })
            assert.isAtLeast(hits, Math.max(1, Math.floor(attempts / 2)))
          }),
        600_000
      )
    })
  }
)
