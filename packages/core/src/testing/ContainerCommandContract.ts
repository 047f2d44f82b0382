// What running a command to its end keeps: how it ended, all that it said, and that nothing of it is left. A part of the
// ContainerRuntime's contract.
import { Deferred, Effect, Fiber } from "effect"
import { ItemInput } from "../domain/Job.ts"
import type { LogEntry } from "../domain/LogLine.ts"
import type { ImageDigest, Workload } from "../domain/Workload.ts"
import { type CommandSpec, ContainerRuntime, itemVariable, type RuntimeError } from "../port/ContainerRuntime.ts"
import { type Contract, equal, holds, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** Runs a command, and answers how it ended and what it said. Nothing of it is left. */
const ran = Effect.fnUntraced(function* (image: ImageDigest, ...command: CommandSpec["command"]) {
  const runtime = yield* ContainerRuntime
  const spec = yield* Given.workloadSpec(image)
  const said: Array<string> = []
  const say = ({ line }: LogEntry) => Effect.sync(() => void said.push(line))
  const { exitCode } = yield* runtime.run({ ...spec, command }, say, () => Effect.void)
  yield* equal("whether it exists", yield* Given.isOwned(spec), false)
  return { exitCode, said }
})

/** The laws of commands, with a way to build an image that has `true`, `false`, `echo`, `env` and `sleep`. */
export const makeContainerCommandContract = (
  build: Effect.Effect<ImageDigest, RuntimeError, ContainerRuntime>
): Contract<ContainerRuntime> => [
  law(
    "ContainerRuntime-7",
    "a command runs to its end, answers how it ended, and nothing of it is left",
    Effect.gen(function* () {
      const { exitCode } = yield* ran(yield* build, "true")
      yield* equal("its code", exitCode, 0)
    })
  ),

  law(
    "B13",
    "a command that fails is not answered as one that did not, and nothing of it is left",
    Effect.gen(function* () {
      const { exitCode } = yield* ran(yield* build, "false")
      yield* equal("its code", exitCode, 1)
    })
  ),

  law(
    "X1",
    "what a command says was said when its end is answered",
    Effect.gen(function* () {
      const { said } = yield* ran(yield* build, "echo", "the last word")
      yield* holds("what it said", said.join().includes("the last word"), said)
    })
  ),

  law(
    "X10",
    "a command is told the Item that it runs for, and without one nothing",
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const image = yield* build
      const said = Effect.fnUntraced(function* (item?: ItemInput) {
        const spec = yield* Given.workloadSpec(image)
        const lines: Array<string> = []
        const say = ({ line }: LogEntry) => Effect.sync(() => void lines.push(line))
        const command = ["env"] as const
        yield* runtime.run({ ...spec, command, item }, say, () => Effect.void)
        return lines.join()
      })
      const item = ItemInput.make(`a "b" $HOME; 'c' ü`)
      yield* holds("what it is told", (yield* said(item)).includes(`${itemVariable}=${item}`))
      yield* holds("what another is told", !(yield* said()).includes(item))
    })
  ),

  law(
    "H22",
    "a command that runs is told and is ours, and ends without success when it is stopped",
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const spec = yield* Given.workloadSpec(yield* build)
      const told = yield* Deferred.make<Workload>()
      const command = ["sleep", "1000"] as const
      const tell = (workload: Workload) => Effect.asVoid(Deferred.succeed(told, workload))
      const running = yield* Effect.forkChild(runtime.run({ ...spec, command }, () => Effect.void, tell))
      const { id, name } = yield* Deferred.await(told)
      yield* equal("its name", name, spec.name)
      yield* equal("whether it exists", yield* Given.isOwned(spec), true)
      yield* runtime.stop(name, id)
      const { exitCode } = yield* Fiber.join(running)
      yield* holds("a code that is no success", exitCode !== 0, exitCode)
      yield* equal("whether it exists afterwards", yield* Given.isOwned(spec), false)
    })
  ),

  law(
    "K6",
    "a command under a name in use is refused as that, and what bears it goes on",
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const spec = yield* Given.workloadSpec(yield* build)
      const told = yield* Deferred.make<Workload>()
      const command = ["sleep", "1000"] as const
      const tell = (workload: Workload) => Effect.asVoid(Deferred.succeed(told, workload))
      const running = yield* Effect.forkChild(runtime.run({ ...spec, command }, () => Effect.void, tell))
      const { id, name } = yield* Deferred.await(told)
      const again = runtime.run(
        { ...spec, command: ["true"] },
        () => Effect.void,
        () => Effect.void
      )
      const { reason } = yield* refused("RuntimeError", again)
      yield* equal("the reason", reason, "name_conflict")
      yield* equal("whether what bears it exists", yield* Given.isOwned(spec), true)
      yield* runtime.stop(name, id)
      yield* Fiber.join(running)
    })
  ),

  law(
    "INV-9",
    "a command of an image that is not there is refused as gone",
    Effect.gen(function* () {
      const { reason } = yield* refused("RuntimeError", ran(yield* Given.freshImage, "true"))
      yield* equal("the reason", reason, "image_gone")
    })
  )
]
