// Hears a container out to its end.

import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import type Dockerode from "dockerode"
import { Effect, Schedule, Stream } from "effect"
import * as Containers from "./containers.ts"
import type { EngineError } from "./EngineError.ts"
import { follow } from "./follow.ts"
import type { EngineId } from "./references.ts"

/** Says all that a container says, and answers it as it is after its end; undefined when it was removed meanwhile. */
export const ended = Effect.fnUntraced(function* (
  docker: Dockerode,
  id: EngineId,
  say: (entry: LogEntry) => Effect.Effect<void>
): Effect.fn.Return<Containers.ContainerSeen | undefined, EngineError> {
  yield* Stream.runForEach(follow(docker, id), say)
  // Its output may come to an end before the engine has seen that it ended: only then it has a code.
  return yield* Effect.repeat(Containers.inspect(docker, id), {
    until: (now) => now?.State.Running !== true,
    schedule: Schedule.spaced("100 millis")
  })
})
