// A server with a Workload, to be killed by tests. Arguments: the directories of builds and homes, and a tree. Prints
// the Workload's id once it said `up`.

import { Console, Effect, Stream } from "effect"
import * as ProcessContainerRuntime from "../../src/ProcessContainerRuntime.ts"
import { specOf } from "./running.ts"

const [, , builds = "", homes = "", directory = ""] = process.argv

const program = Effect.gen(function* () {
  const runtime = yield* ProcessContainerRuntime.make({ builds, homes })
  const image = yield* runtime.build({ directory, commit: null }, () => Effect.void)
  const workload = yield* runtime.start(specOf(image, "killed"))
  yield* Stream.runDrain(Stream.takeUntil(runtime.logs(workload), ({ line }) => line === "up"))
  yield* Console.log(workload.id)
  return yield* Effect.never
})

await Effect.runPromise(Effect.scoped(program))
