// What every ContainerRuntime keeps: a Workload is there completely or not at all, is known by its name, and nothing of it
// is left when it was stopped. The tree is one that the runtime can build and that goes on serving once it is started.
import { Effect, Exit, Fiber, Stream } from "effect"
import { Fence } from "../domain/Lease.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import { ContainerRuntime, type WorkloadSpec } from "../port/ContainerRuntime.ts"
import type { SourceTree } from "../port/SourceFetcher.ts"
import { type Contract, equal, eventually, holds, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const specOf = Effect.fnUntraced(function* (image: ImageDigest) {
  const spec: WorkloadSpec = {
    name: yield* Given.freshWorkloadName,
    tenant: yield* Given.freshTenant,
    app: yield* Given.unknownApp,
    deployment: yield* Given.unknownDeployment,
    fence: Fence.make(1),
    image,
    env: new Map(),
    port: null
  }
  return spec
})

const isOwned = Effect.fnUntraced(function* (spec: WorkloadSpec) {
  const runtime = yield* ContainerRuntime
  return (yield* runtime.owned).includes(spec.name)
})

/** The laws of {@link ContainerRuntime}, with a tree that serves. */
export const makeContainerRuntimeContract = (tree: SourceTree): Contract<ContainerRuntime> => {
  const build = Effect.flatMap(ContainerRuntime, (runtime) => runtime.build(tree, () => Effect.void))

  /** Checks what holds for a Workload that nobody has started yet, and stops it whatever comes of that. */
  const withSpec = <E, R>(check: (spec: WorkloadSpec) => Effect.Effect<void, E, R>) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const spec = yield* specOf(yield* build)
      yield* Effect.ensuring(check(spec), Effect.ignore(runtime.stop(spec.name, undefined)))
    })

  return [
    law(
      "ContainerRuntime-1",
      "the same tree makes the same image",
      Effect.gen(function* () {
        const first = yield* build
        yield* equal("the second image", yield* build, first)
      })
    ),

    law(
      "ContainerRuntime-2",
      "a started Workload has its name and image, is seen running, and is among what is ours",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          yield* equal("whether it exists before", yield* isOwned(spec), false)
          const workload = yield* runtime.start(spec)
          yield* equal("what was started", [workload.name, workload.image], [spec.name, spec.image])
          yield* equal("what is seen", yield* runtime.inspect(workload), { state: "running", image: spec.image })
          yield* equal("whether it exists", yield* isOwned(spec), true)
        })
      )
    ),

    law(
      "B17",
      "of a stopped Workload nothing is left, and stopping it again is no error",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const workload = yield* runtime.start(spec)
          for (const id of [workload.id, workload.id, undefined]) {
            yield* runtime.stop(spec.name, id)
            yield* equal("what is seen", yield* runtime.inspect(workload), { state: "gone" })
            yield* equal("whether it exists", yield* isOwned(spec), false)
          }
        })
      )
    ),

    law(
      "H29",
      "a Workload of which only the name is known can be stopped",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const workload = yield* runtime.start(spec)
          yield* runtime.stop(spec.name, undefined)
          yield* equal("what is seen", yield* runtime.inspect(workload), { state: "gone" })
          yield* equal("whether it exists", yield* isOwned(spec), false)
        })
      )
    ),

    law(
      "H14",
      "stopping what was never started is no error",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          yield* runtime.stop(spec.name, undefined)
          yield* equal("whether it exists", yield* isOwned(spec), false)
        })
      )
    ),

    law(
      "INV-9",
      "an image that is not there is refused as gone, and nothing of the name is left",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const missing = { ...spec, image: yield* Given.freshImage }
          const { reason } = yield* refused("RuntimeError", runtime.start(missing))
          yield* equal("the reason", reason, "image_gone")
          yield* equal("whether it exists", yield* isOwned(spec), false)
        })
      )
    ),

    law(
      "INV-7",
      "a start that is interrupted, early or late, leaves nothing of its name",
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        for (const steps of [0, 1, 2, 4, 8, 16, 64]) {
          const spec = yield* specOf(yield* build)
          const starting = yield* Effect.forkChild(runtime.start(spec))
          yield* Effect.repeat(Effect.yieldNow, { times: steps })
          yield* Fiber.interrupt(starting)
          const started = Exit.isSuccess(yield* Fiber.await(starting))
          yield* equal(`whether it exists after ${steps} steps`, yield* isOwned(spec), started)
          yield* runtime.stop(spec.name, undefined)
        }
      })
    ),

    law(
      "ContainerRuntime-3",
      "two Workloads of one image have ids and addresses of their own, and stopping one leaves the other",
      withSpec((one) =>
        withSpec((other) =>
          Effect.gen(function* () {
            const runtime = yield* ContainerRuntime
            const [first, second] = [yield* runtime.start(one), yield* runtime.start(other)]
            yield* holds("two ids", first.id !== second.id, first.id)
            const addresses = [first, second].map(({ address }) => `${address.host}:${address.port}`)
            yield* holds("two addresses", new Set(addresses).size === 2, addresses)
            yield* runtime.stop(one.name, first.id)
            yield* equal("what is seen of the other", yield* runtime.inspect(second), {
              state: "running",
              image: other.image
            })
          })
        )
      )
    ),

    law(
      "ContainerRuntime-4",
      "a name can be used again after its Workload was stopped, and the earlier Workload stays gone",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const first = yield* runtime.start(spec)
          yield* runtime.stop(spec.name, first.id)
          const second = yield* runtime.start(spec)
          yield* equal("what is seen of the earlier one", yield* runtime.inspect(first), { state: "gone" })
          yield* equal("what is seen of the later one", yield* runtime.inspect(second), {
            state: "running",
            image: spec.image
          })
        })
      )
    ),

    law(
      "ContainerRuntime-5",
      "a command runs to its end, answers how it ended, and nothing of it is left",
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const spec = yield* specOf(yield* build)
        const { exitCode } = yield* runtime.run({ ...spec, command: ["true"] }, () => Effect.void)
        yield* equal("its code", exitCode, 0)
        yield* equal("whether it exists", yield* isOwned(spec), false)
      })
    ),

    law(
      "INV-9",
      "a command of an image that is not there is refused as gone",
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const spec = yield* specOf(yield* Given.freshImage)
        const { reason } = yield* refused(
          "RuntimeError",
          runtime.run({ ...spec, command: ["true"] }, () => Effect.void)
        )
        yield* equal("the reason", reason, "image_gone")
        yield* equal("whether it exists", yield* isOwned(spec), false)
      })
    ),

    law(
      "X1",
      "what a Workload says comes to an end when it is stopped",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const workload = yield* runtime.start(spec)
          const reading = yield* Effect.forkChild(Stream.runDrain(runtime.logs(workload)))
          yield* Effect.yieldNow
          yield* runtime.stop(spec.name, workload.id)
          const over = Effect.sync(() => reading.pollUnsafe() !== undefined)
          yield* eventually("the end of what it says", over, (isOver) => isOver)
        })
      )
    )
  ]
}
