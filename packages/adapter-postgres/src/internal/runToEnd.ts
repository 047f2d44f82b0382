// Runs a short program and returns what it printed. Not for servers: nothing is returned before the end.

import { Effect, Stream } from "effect"
import type { PlatformError } from "effect"
import { type ChildProcess, ChildProcessSpawner } from "effect/process"

/** The end of a program: its exit code and its output and error output as one text. */
export interface Ended {
  readonly exitCode: number
  readonly output: string
}

/** Runs a command to its end; it is killed with its whole group on interruption. */
export const runToEnd = (
  command: ChildProcess.Command
): Effect.Effect<Ended, PlatformError.PlatformError, ChildProcessSpawner.ChildProcessSpawner> =>
  Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* (yield* ChildProcessSpawner.ChildProcessSpawner).spawn(command)
      const output = yield* handle.all.pipe(Stream.decodeText(), Stream.mkString)
      return { exitCode: yield* handle.exitCode, output }
    })
  )
