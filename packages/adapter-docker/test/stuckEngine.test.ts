// Deployments on an engine that takes calls and never answers them, from one step on: each ends and says why, what served
// still serves, and the next one goes well when the engine answers again.

import { assert, it } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { HealthProbe } from "@lockkeeper/core/port/HealthProbe"
import { Hints } from "@lockkeeper/core/port/Hints"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { RetentionStore } from "@lockkeeper/core/port/RetentionStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { LogStore } from "@lockkeeper/core/port/LogStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { Providers } from "@lockkeeper/core/port/Providers"
import { Router } from "@lockkeeper/core/port/Router"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { deploy } from "@lockkeeper/core/program/deploy"
import { reap } from "@lockkeeper/core/program/reap"
import { Replica } from "@lockkeeper/core/program/Replica"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Clock, Context, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { randomInt } from "node:crypto"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { runtime, shell, treeOf } from "./support/engine.ts"
import { engineProxy } from "./support/engineProxy.ts"

const stores = Layer.mergeAll(
  AppStore.layerMemory,
  DeploymentStore.layerMemory,
  EnvStore.layerMemory,
  Hints.layerMemory,
  JobStore.layerMemory,
  RetentionStore.layerMemory,
  Journal.layerMemory,
  LogStore.layerMemory,
  Providers.layerMemory,
  Router.layerMemory,
  RunStore.layerMemory
).pipe(Layer.provideMerge(MemoryState.layer))

/** Which calls get stuck, from when on, how the Deployment ends then, and whether hours pass or only what passes. */
interface Stuck {
  readonly step: string
  readonly calls: RegExp
  readonly from: "the start" | "the first probe"
  readonly ends: ReadonlyArray<string>
  readonly passes?: true
}

const steps: ReadonlyArray<Stuck> = [
  { step: "build", calls: /POST \S*\/build/, from: "the start", ends: ["deadline_exceeded"], passes: true },
  { step: "start", calls: /POST \S*\/containers\//, from: "the start", ends: ["engine_unavailable"] },
  { step: "health", calls: /./, from: "the first probe", ends: ["engine_unavailable", "unhealthy"] },
  { step: "stop", calls: /(?:POST \S*\/stop|DELETE )/, from: "the start", ends: ["healthy"] }
]

/** Does something in a time of its own, which passes fast once something is so. */
const whileHoursPass = Effect.fnUntraced(function* <A, E, R>(self: Effect.Effect<A, E, R>, isSo: () => boolean) {
  const clock = yield* TestClock.make()
  const fiber = yield* Effect.forkChild(Effect.provideService(self, Clock.Clock, clock))
  yield* eventually("the engine is stuck", Effect.sync(isSo), (is) => is)
  const minutePasses = Effect.andThen(clock.adjust("1 minute"), Effect.sleep("5 millis"))
  yield* Effect.repeat(minutePasses, { until: () => Effect.sync(() => fiber.pollUnsafe() !== undefined) })
  return yield* Fiber.join(fiber)
})

/** An App of which each Deployment builds another image, on an engine behind a proxy. */
const world = Effect.gen(function* () {
  const proxy = yield* engineProxy
  const behind = yield* runtime({ engine: proxy.engine })
  const { left, ...direct } = yield* runtime({ installation: behind.installation })
  let built = 0
  let probing: Effect.Effect<void> = Effect.void
  const fetch = Effect.suspend(() => treeOf(shell(`trap 'exit 0' TERM; echo ${++built}; sleep 1000 & wait`)))
  const memory = yield* Layer.build(Layer.fresh(stores))
  // All that share the engine need names of their own, and those of Workloads come from this number.
  Context.get(memory, MemoryState).sequence = randomInt(2 ** 40)
  const run = <A, E>(self: Effect.Effect<A, E, Layer.Success<typeof stores> | Ports>) =>
    self.pipe(
      Effect.provideService(ContainerRuntime, ContainerRuntime.of(behind)),
      Effect.provideService(HealthProbe, HealthProbe.of({ probe: () => Effect.suspend(() => probing) })),
      Effect.provideService(SourceFetcher, SourceFetcher.of({ fetch: () => fetch })),
      Effect.provideService(Replica, { id: ReplicaId.make("one"), terms: Given.longTerms }),
      Effect.provideContext(memory)
    )
  const atFirstProbe = (then: Effect.Effect<void>) => void (probing = then)
  return { proxy, direct, left, run, atFirstProbe }
})

type Ports = ContainerRuntime | HealthProbe | SourceFetcher | Replica

const stuckAt = Effect.fnUntraced(function* ({ calls, ends, from, passes, step }: Stuck) {
  const { atFirstProbe, direct, left, proxy, run } = yield* world
  const app = yield* run(Given.registered({ healthCheck: { intervalMillis: 100, timeoutSeconds: 20 } }))
  const deployed = run(deploy(Given.asked(app)))
  const route = run(Effect.flatMap(Router, (router) => router.current(app.id)))
  const held = run(Effect.flatMap(Journal, (journal) => journal.held(app.id)))
  assert.strictEqual((yield* deployed).status, "healthy")
  const served = yield* route
  const [first] = yield* held
  if (!first?.workload) return assert.fail("nothing serves")

  const stall = Effect.sync(() => proxy.stall(calls))
  if (from === "the start") yield* stall
  else atFirstProbe(stall)
  const { error, status } = yield* passes ? whileHoursPass(deployed, () => proxy.stalled() > 0) : deployed
  assert.include(ends, error?.code ?? status, step)
  assert.isAbove(proxy.stalled(), 0, step)
  if (status !== "healthy") {
    assert.deepStrictEqual(yield* route, served, step)
    assert.strictEqual((yield* direct.inspect(first.workload)).state, "running", step)
  }

  proxy.resume()
  atFirstProbe(Effect.void)
  assert.strictEqual((yield* deployed).status, "healthy", step)
  yield* run(reap())
  assert.strictEqual((yield* left).containers, 1, step)
  const names = (yield* held).map(({ name }) => name)
  assert.strictEqual(names.length, 1, step)
  assert.notInclude(names, first.name, step)
}, Effect.scoped)

describeWith("docker")("an engine that takes calls and never answers", () => {
  it.live(
    "INV-1 INV-8 T1 H24: from whichever step on, the Deployment ends in time, what served serves, and the next one goes well",
    () => Effect.forEach(steps, stuckAt, { concurrency: "unbounded", discard: true }),
    300_000
  )
})
