// What a team does with a program of its own: cut it off at every point, in every way, and look what is left. Here it is a
// deploy over the ports in memory.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { AppName } from "@lockkeeper/core/domain/App"
import { GitUrl } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { deploy } from "@lockkeeper/core/program/deploy"
import { reap } from "@lockkeeper/core/program/reap"
import { isPossible, pointsOf, runWithFault } from "@lockkeeper/core/testing/everyFailpoint"
import { type FailpointPorts, failpointPorts } from "@lockkeeper/core/testing/failpointPorts"
import { Console, Effect, Layer, Logger } from "effect"
import { layerInMemory } from "./layerInMemory.ts"

// #region failpoints
const program = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const { id: app } = yield* (yield* AppStore).register({
    tenant: TenantName.make("acme"),
    name: AppName.make("web"),
    source: { type: "git", url: GitUrl.make("https://git.example.com/acme/web.git") }
  })
  const ports = failpointPorts(yield* Effect.context<FailpointPorts>())
  const deployed = Effect.provide(deploy({ app, trigger: { kind: "manual" } }), ports)

  const points = yield* pointsOf(deployed)
  let tried = 0
  for (const fault of ["fails", "is interrupted before", "is interrupted after"] as const) {
    for (const point of points.filter((point) => isPossible(point, fault))) {
      tried++
      yield* runWithFault(deployed, point, fault)
      yield* reap()
      const running = yield* runtime.owned
      if (running.length !== 1) yield* Console.log(`${point.name} ${fault}: ${running.length} workloads run`)
    }
  }
  yield* Console.log(`${points.length} points, ${tried} faults: whatever happened, one workload was left`)
})
// #endregion

program.pipe(Effect.provide(Layer.merge(layerInMemory, Logger.layer([]))), NodeRuntime.runMain)
