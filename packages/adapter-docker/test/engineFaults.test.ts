// An engine that is away, that takes calls and never answers them, or that dies in the middle of an answer: every call ends in
// time with engine_unavailable, nothing is taken for a success, and nothing is left when the engine is back.

import { assert, describe, it } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ImageReference } from "@lockkeeper/core/domain/Source"
import type { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { Clock, Duration, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { images } from "../../../test/harness/images.ts"
import * as DockerEngine from "../src/DockerEngine.ts"
import { freshInstallation, nothing, runtime, serving, shell, sleeping, specOf, treeOf } from "./support/engine.ts"
import { docker } from "../../../test/harness/engine.ts"
import { engineProxy } from "./support/engineProxy.ts"

/** A runtime behind a proxy, with an image and a Workload that was started while all was well. */
const proxied = Effect.gen(function* () {
  const proxy = yield* engineProxy
  const made = yield* runtime({ engine: proxy.engine })
  const image = yield* made.buildOf(sleeping)
  const workload = yield* made.start(specOf(image))
  return { proxy, made, image, workload }
})

const unavailable = (work: Effect.Effect<unknown, { readonly reason: string; readonly detail: string }>) =>
  Effect.flip(work).pipe(
    Effect.timed,
    Effect.map(([took, { detail, reason }]) => {
      assert.strictEqual(reason, "engine_unavailable", detail)
      return Duration.toMillis(took)
    })
  )

type Runtime = typeof ContainerRuntime.Service

const calls = ({ image, made, workload }: Effect.Success<typeof proxied>, said: Parameters<Runtime["build"]>[1]) => [
  Effect.scoped(Effect.flatMap(treeOf(shell("exit 9")), (tree) => made.build(tree, said))),
  made.start(specOf(image)),
  Effect.catchTag(
    made.run({ ...specOf(image), command: ["true"] }, said, () => Effect.void),
    "StoreError",
    Effect.die
  ),
  made.inspect(workload),
  made.stop(workload.name, workload.id),
  made.owned
]

describeWith("docker")("an engine", () => {
  describe("that is away", () => {
    it.live("H24 B13 is engine_unavailable for every call, at once, and useful again when it is back", () =>
      Effect.gen(function* () {
        const given = yield* proxied
        yield* given.proxy.away
        for (const call of calls(given, () => Effect.void)) assert.isBelow(yield* unavailable(call), 5_000)
        const other = yield* runtime({ installation: given.made.installation })
        assert.deepStrictEqual(yield* other.owned, [given.workload.name])
        const error = yield* Effect.flip(DockerEngine.inspectEngine({ engine: given.proxy.engine }))
        assert.match(error.message, /^the Docker engine cannot be used: /)
      })
    )

    it.live("is not where a socket is that nobody listens on, nor where no socket is", () =>
      Effect.gen(function* () {
        for (const engine of ["unix:///no/such/socket", "tcp://127.0.0.1:9"]) {
          const made = yield* runtime({ engine })
          assert.isBelow(yield* unavailable(made.owned), 2_000)
        }
      })
    )
  })

  describe("that never answers", () => {
    it.live(
      "H24 T1 is engine_unavailable for every call, within its time",
      () =>
        Effect.gen(function* () {
          const given = yield* proxied
          given.proxy.stall(/./)
          const all = calls(given, () => Effect.void).map(unavailable)
          const took = yield* Effect.all(all, { concurrency: "unbounded" })
          for (const millis of took) assert.isBelow(millis, 50_000)
          given.proxy.resume()
          assert.deepStrictEqual(yield* given.made.owned, [given.workload.name])
        }),
      90_000
    )

    it.live("H24 lets whoever waits for it be interrupted at once", () =>
      Effect.gen(function* () {
        const given = yield* proxied
        given.proxy.stall(/\/json/)
        for (const call of [given.made.inspect(given.workload), given.made.owned]) {
          const fiber = yield* Effect.forkChild(call)
          yield* Effect.sleep("50 millis")
          const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
          assert.isBelow(Duration.toMillis(took), 500)
        }
      })
    )

    it.live(
      "T2 but has created the container: it is not known, and found as a stray when it answers again",
      () =>
        Effect.gen(function* () {
          const given = yield* proxied
          const spec = specOf(given.image)
          given.proxy.mute(/POST \/containers\/create/)
          const starting = yield* Effect.forkChild(Effect.flip(given.made.start(spec)))
          const exists = Effect.map(given.made.left, ({ containers }) => containers === 2)
          yield* eventually("the container is there", exists, (is) => is)
          yield* given.proxy.away
          assert.strictEqual((yield* Fiber.join(starting)).reason, "engine_unavailable")
          const other = yield* runtime({ installation: given.made.installation })
          assert.includeMembers([...(yield* other.owned)], [spec.name])
          yield* other.stop(spec.name, undefined)
          yield* other.stop(given.workload.name, undefined)
          assert.deepStrictEqual(yield* other.left, nothing)
        }),
      60_000
    )
  })

  describe("that dies in the middle of an answer", () => {
    it.live("T1 T3 while it builds: engine_unavailable, never a success", () =>
      Effect.gen(function* () {
        const given = yield* proxied
        for (const bytes of [1, 200, 400]) {
          given.proxy.cut(/POST \/build/, bytes)
          yield* unavailable(given.made.buildOf(shell(`exit ${bytes}`, "RUN echo one\\nRUN sleep 0.3\\n")))
          given.proxy.resume()
        }
      })
    )

    it.live(
      "T1 while it says what a container is like: engine_unavailable within its time",
      () =>
        Effect.gen(function* () {
          const given = yield* proxied
          given.proxy.cut(/GET \/containers/, 600)
          const calls = [given.made.inspect(given.workload), given.made.owned]
          yield* Effect.all(calls.map(unavailable), { concurrency: "unbounded" })
          given.proxy.resume()
          assert.strictEqual((yield* given.made.inspect(given.workload)).state, "running")
        }),
      60_000
    )

    it.live("X1 while a container speaks: what it says goes on behind where it was read to", () =>
      Effect.gen(function* () {
        const { made, proxy } = yield* proxied
        const image = yield* made.buildOf(shell("for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.3; done"))
        const workload = yield* made.start(specOf(image))
        proxy.cut(/GET .*\/logs/, 450)
        const reading = yield* Effect.forkChild(Stream.runCollect(made.logs(workload)))
        yield* Effect.sleep("700 millis")
        proxy.resume()
        const entries = yield* Fiber.join(reading)
        assert.deepStrictEqual(
          entries.map(({ line }) => line),
          Array.from({ length: 8 }, (_, index) => `line ${index + 1}`)
        )
      })
    )

    it.live("X1 for minutes while a container speaks: what it says is heard when the engine is back", () =>
      Effect.gen(function* () {
        const { made, proxy } = yield* proxied
        const image = yield* made.buildOf(shell("for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.3; done"))
        const workload = yield* made.start(specOf(image))
        const clock = yield* TestClock.make()
        const inItsTime = Effect.provideService(Clock.Clock, clock)
        const reading = yield* Effect.forkChild(inItsTime(Stream.runCollect(made.logs(workload))))
        const minutesPass = Effect.repeat(Effect.andThen(clock.adjust("1 second"), Effect.sleep("5 millis")), {
          times: 180
        })
        yield* proxy.away
        yield* minutesPass
        yield* proxy.back
        const passing = yield* Effect.forkChild(Effect.forever(minutesPass))
        const entries = yield* Fiber.join(reading)
        yield* Fiber.interrupt(passing)
        assert.deepStrictEqual(
          entries.map(({ line }) => line),
          Array.from({ length: 8 }, (_, index) => `line ${index + 1}`)
        )
      })
    )
  })
})

describeWith("docker")("the engine of this machine", () => {
  it.live("says what it is, and has an image or says that it cannot be had", () =>
    Effect.gen(function* () {
      const { apiVersion, version } = yield* DockerEngine.inspectEngine()
      assert.match(`${version} ${apiVersion}`, /^\S+ 1\.\d+$/)
      yield* DockerEngine.ensureImage(ImageReference.make(images.busybox))
      const missing = DockerEngine.ensureImage(ImageReference.make("registry.invalid/nothing:1"))
      assert.include(
        (yield* Effect.flip(missing)).message,
        "registry.invalid/nothing:1 is not there and cannot be pulled"
      )
    })
  )

  it.live("T11 B18 is left alone in what is not ours: networks, volumes and images of others stay", () =>
    Effect.gen(function* () {
      const installation = freshInstallation()
      const name = `foreign-${installation}`
      yield* Effect.acquireRelease(
        Effect.promise(async () => {
          await docker.createNetwork({ Name: name, CheckDuplicate: true })
          await docker.createVolume({ Name: name })
        }),
        () =>
          Effect.promise(async () => {
            await docker.getNetwork(name).remove()
            await docker.getVolume(name).remove()
          })
      )
      const made = yield* runtime({ installation, replica: ReplicaId.make("one") })
      const workload = yield* made.start(specOf(yield* made.buildOf(shell(serving))))
      yield* made.stop(workload.name, undefined)
      yield* Effect.promise(() => docker.getNetwork(name).inspect())
      yield* Effect.promise(() => docker.getVolume(name).inspect())
      assert.deepStrictEqual(yield* made.left, nothing)
    })
  )
})
