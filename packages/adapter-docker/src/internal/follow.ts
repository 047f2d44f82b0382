// Follows what a container says to its end. The engine may end its answer before everything was sent, or go away and come
// back while the container runs on: what is missing is read again from where it was read to.

import type { LogCursor, LogEntry } from "@lockkeeper/core/domain/LogLine"
import type Dockerode from "dockerode"
import { Duration, Effect, Stream } from "effect"
import { bytesOf } from "./call.ts"
import * as Containers from "./containers.ts"
import type { EngineError } from "./EngineError.ts"
import { after, lines, sinceOf } from "./output.ts"
import type { EngineId } from "./references.ts"

/** How long to wait before the engine is asked again. */
const pause = Duration.seconds(1)

/**
 * The lines of a container from the start, or from behind a cursor. One that is gone, or going, says nothing any more. While
 * the engine is away it is asked again for as long as somebody listens: the container may run on.
 */
export const follow = (docker: Dockerode, id: EngineId, from?: LogCursor): Stream.Stream<LogEntry, EngineError> =>
  Stream.suspend(() => {
    let cursor = from

    const pass = Stream.suspend(() => {
      const since = cursor === undefined ? undefined : sinceOf(cursor)
      return Stream.unwrap(
        Effect.map(Containers.logs(docker, id, since), (stream) => after(cursor)(lines(bytesOf("logs", stream))))
      ).pipe(
        Stream.tap((entry) =>
          Effect.sync(() => {
            cursor = advanced(cursor, entry)
          })
        )
      )
    })

    const rest: Effect.Effect<Stream.Stream<LogEntry, EngineError>, EngineError> = Effect.map(
      Containers.inspect(docker, id),
      (seen) => {
        if (seen === undefined) return Stream.empty
        return seen.State.Running ? again(Effect.succeed(all)) : pass
      }
    )
    const again = (next: Effect.Effect<Stream.Stream<LogEntry, EngineError>, EngineError>) =>
      Stream.unwrap(Effect.delay(next, pause))

    const recovered = (error: EngineError): Stream.Stream<LogEntry, EngineError> => {
      if (error.reason === "not_found" || error.reason === "conflict") return Stream.empty
      const isAway = error.reason === "unreachable" || error.reason === "timed_out"
      return isAway ? Stream.catch(again(rest), recovered) : Stream.fail(error)
    }
    const all: Stream.Stream<LogEntry, EngineError> = Stream.suspend(() =>
      Stream.catch(Stream.concat(pass, Stream.unwrap(rest)), recovered)
    )
    return all
  })

const advanced = (cursor: LogCursor | undefined, { at }: LogEntry): LogCursor | undefined => {
  if (at === undefined) return cursor
  const isSame = cursor?.at.epochMilliseconds === at.epochMilliseconds
  return { at, lines: isSame ? cursor.lines + 1 : 1 }
}
