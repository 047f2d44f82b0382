// Runs a command to its end where a Workload would run, on record from before it exists until nothing of it is left.
import { Cause, Effect, Exit, Option } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import type { CommandExit } from "../domain/Workload.ts"
import type { LeaseLost } from "../port/Claim.ts"
import { type CommandSpec, ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import { Journal } from "../port/Journal.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Replica } from "./Replica.ts"
import { releaseWorkload } from "./retire.ts"

/**
 * Runs a command and answers how it ended. Its intent is on record before it exists, and nothing of it is left, however it
 * ends: when that cannot be written it is a `StoreError`, and the Reaper sees to it. What bears its name already is left alone.
 */
export const runCommand = Effect.fn("runCommand")(function* (
  spec: CommandSpec,
  say: (entry: LogEntry) => Effect.Effect<void>
): Effect.fn.Return<CommandExit, RuntimeError | LeaseLost | StoreError, ContainerRuntime | Journal | Replica> {
  const runtime = yield* ContainerRuntime
  const journal = yield* Journal
  const { id: replica } = yield* Replica
  const { app, fence, name, work } = spec
  return yield* Effect.acquireUseRelease(
    journal.intend({ name, app, work, fence, replica }),
    () => Effect.tap(runtime.run(spec, say, journal.confirm), () => journal.released(name)),
    (_, exit) => {
      if (Exit.isSuccess(exit)) return Effect.void
      return isConflict(exit) ? Effect.ignore(journal.released(name)) : releaseWorkload(name, undefined)
    }
  )
})

/** Whether nothing was started, since something else has the name. */
const isConflict = <A>(exit: Exit.Failure<A, RuntimeError | LeaseLost | StoreError>): boolean =>
  Option.exists(
    Cause.findErrorOption(exit.cause),
    (error) => error._tag === "RuntimeError" && error.reason === "name_conflict"
  )
