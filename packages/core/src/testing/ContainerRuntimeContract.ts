// What every ContainerRuntime keeps: a Workload is there completely or not at all, is known by its name, and nothing of it
// is left when it was stopped. The trees are ones that the runtime can build and that go on serving once they are started.
import { Effect, Exit, Fiber, Result, Stream } from "effect"
import { ImageDigest } from "../domain/Workload.ts"
import { ContainerRuntime, type WorkloadSpec } from "../port/ContainerRuntime.ts"
import type { SourceTree } from "../port/SourceFetcher.ts"
import { type Contract, equal, eventually, holds, law, present, refused, together } from "./Contract.ts"
import { makeContainerCommandContract } from "./ContainerCommandContract.ts"
import { makeContainerImageContract } from "./ContainerImageContract.ts"
import * as Given from "./Fixture.ts"

/**
 * The laws of {@link ContainerRuntime}, with a tree that serves and one that serves as well and differs from it in a file
 * below a folder of a folder, which the image holds.
 */
export const makeContainerRuntimeContract = (tree: SourceTree, deeper: SourceTree): Contract<ContainerRuntime> => {
  const buildOf = (tree: SourceTree) =>
    Effect.flatMap(ContainerRuntime, (runtime) => runtime.build(tree, () => Effect.void))
  const build = buildOf(tree)

  /** Checks what holds for a Workload that nobody has started yet, and stops it whatever comes of that. */
  const withSpec = <E, R>(check: (spec: WorkloadSpec) => Effect.Effect<void, E, R>) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const spec = yield* Given.workloadSpec(yield* build)
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
      "a tree that differs in one file, however deep, makes another image",
      Effect.gen(function* () {
        const images = [yield* build, yield* buildOf(deeper), yield* build, yield* buildOf(deeper)]
        yield* equal("how many images there are", new Set(images).size, 2)
      })
    ),

    law(
      "INV-9",
      "what was built is there, and an image that nobody made is not",
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        yield* equal("whether it is there", yield* runtime.hasImage(yield* build), true)
        const nobodys = ImageDigest.make(`sha256:${"0".repeat(64)}`)
        yield* equal("whether it is there", yield* runtime.hasImage(nobodys), false)
      })
    ),

    law(
      "ContainerRuntime-3",
      "a tree with files in folders is built, and its image serves",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const workload = yield* runtime.start({ ...spec, image: yield* buildOf(deeper) })
          yield* equal("what is seen", yield* runtime.inspect(workload), { state: "running", image: workload.image })
        })
      )
    ),

    law(
      "ContainerRuntime-4",
      "a name in use is refused, and what bears it goes on",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const workload = yield* runtime.start(spec)
          const { reason } = yield* refused("RuntimeError", runtime.start(spec))
          yield* equal("the reason", reason, "name_conflict")
          yield* equal("what is seen", yield* runtime.inspect(workload), { state: "running", image: spec.image })
          yield* equal("whether it exists", yield* Given.isOwned(spec), true)
        })
      )
    ),

    law(
      "ContainerRuntime-4",
      "of several starts of one name at the same time exactly one succeeds, and its Workload runs",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const started = (yield* together([1, 2, 3].map(() => runtime.start(spec)))).filter(Result.isSuccess)
          yield* equal("how many succeed", started.length, 1)
          const workload = (yield* present("a Workload", started[0])).success
          yield* equal("what is seen", yield* runtime.inspect(workload), { state: "running", image: spec.image })
        })
      )
    ),

    law(
      "INV-8",
      "a started Workload has its name and image, is seen running, and is among what is ours",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          yield* equal("whether it exists before", yield* Given.isOwned(spec), false)
          const workload = yield* runtime.start(spec)
          yield* equal("what was started", [workload.name, workload.image], [spec.name, spec.image])
          yield* equal("what is seen", yield* runtime.inspect(workload), { state: "running", image: spec.image })
          yield* equal("whether it exists", yield* Given.isOwned(spec), true)
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
            yield* equal("whether it exists", yield* Given.isOwned(spec), false)
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
          yield* equal("whether it exists", yield* Given.isOwned(spec), false)
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
          yield* equal("whether it exists", yield* Given.isOwned(spec), false)
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
          yield* equal("whether it exists", yield* Given.isOwned(spec), false)
        })
      )
    ),

    law(
      "INV-7",
      "a start that is interrupted, early or late, leaves nothing of its name",
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        for (const steps of [0, 1, 2, 4, 8, 16, 64]) {
          const spec = yield* Given.workloadSpec(yield* build)
          const starting = yield* Effect.forkChild(runtime.start(spec))
          yield* Effect.repeat(Effect.yieldNow, { times: steps })
          yield* Fiber.interrupt(starting)
          const started = Exit.isSuccess(yield* Fiber.await(starting))
          yield* equal(`whether it exists after ${steps} steps`, yield* Given.isOwned(spec), started)
          yield* runtime.stop(spec.name, undefined)
        }
      })
    ),

    law(
      "ContainerRuntime-5",
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
      "ContainerRuntime-6",
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
      "INV-2",
      "who stops an earlier Workload of a name leaves the later one",
      withSpec((spec) =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const first = yield* runtime.start(spec)
          yield* runtime.stop(spec.name, first.id)
          const second = yield* runtime.start(spec)
          yield* runtime.stop(spec.name, first.id)
          yield* equal("what is seen", yield* runtime.inspect(second), { state: "running", image: spec.image })
          yield* equal("whether it exists", yield* Given.isOwned(spec), true)
        })
      )
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
          yield* Fiber.join(reading)
        })
      )
    ),

    ...makeContainerCommandContract(build),
    ...makeContainerImageContract(build)
  ]
}
