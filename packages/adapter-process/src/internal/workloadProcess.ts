// One Workload as a group of processes: what it runs, where it may write, what it says and how it ended.

import type { Env } from "@lockkeeper/core/domain/Env"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { itemVariable } from "@lockkeeper/core/port/ContainerRuntime"
import { type Duration, Effect, Redacted, type Stream } from "effect"
import { constants } from "node:os"
import { makeLineSplitter } from "@lockkeeper/core/domain/lineSplitter"
import { makeLogBuffer } from "./logBuffer.ts"
import { type GroupExit, type ProcessGroup, startGroup } from "./processGroup.ts"
import type { ProcessIdentity } from "./processTable.ts"

/** What to start. `home` is the only place that is meant to be written to. */
export interface WorkloadProcessSpec {
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  readonly directory: string
  readonly home: string
  readonly port: number | undefined
  readonly env: Env
  /** The Item that a command runs for. */
  readonly item?: string | undefined
  /** Variables that say where something is. */
  readonly places?: Readonly<Record<string, string>> | undefined
}

/** A started Workload. */
export interface WorkloadProcess {
  readonly leader: ProcessIdentity
  /** Waits until it has exited. */
  readonly exited: Effect.Effect<GroupExit>
  readonly logs: Stream.Stream<LogEntry>
  /** Ends the whole group; false when something of it would not die. */
  readonly end: (grace: Duration.Duration) => Effect.Effect<boolean>
}

/** The whole environment: PATH, HOME, TMPDIR, the App's Env over them, PORT, and the Item of a command that has one. */
const environmentOf = (spec: WorkloadProcessSpec, path: string): Readonly<Record<string, string>> => ({
  PATH: path,
  HOME: spec.home,
  TMPDIR: spec.home,
  ...Object.fromEntries([...spec.env].map(([key, value]) => [key, Redacted.value(value)])),
  ...(spec.port === undefined ? {} : { PORT: String(spec.port) }),
  ...spec.places,
  ...(spec.item === undefined ? {} : { [itemVariable]: spec.item })
})

// The shell exports variables of its own, and the environment of an App is exactly what it was promised.
const runLine = `command=$1; shift; unset PWD OLDPWD SHLVL; eval "$command"`

/** The arguments that run a line of a Procfile. */
export const shellLine = (line: string): WorkloadProcessSpec["argv"] => ["/bin/sh", "-c", runLine, "sh", line]

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/** How a Workload that has ended is described. */
export const exitReason = ({ code, signal }: GroupExit): string => {
  if (signal !== null) return `ended by ${signal}`
  const cause = code === null ? undefined : signalNames.get(code - 128)
  return cause === undefined ? `exited with code ${code}` : `exited with code ${code} (${cause})`
}

/** The code of an exit; 128 and the signal's number, as shells have it, for one that a signal brought about. */
export const exitCode = ({ code, signal }: GroupExit): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal])

/** Starts it. Fails with a clause for a person; then nothing was started. */
export const startProcess = Effect.fnUntraced(function* (
  spec: WorkloadProcessSpec
): Effect.fn.Return<WorkloadProcess, string> {
  const buffer = makeLogBuffer()
  const splitters = {
    stdout: makeLineSplitter((line, isCut) => buffer.add({ stream: "stdout", line, ...(isCut ? { isCut } : {}) })),
    stderr: makeLineSplitter((line, isCut) => buffer.add({ stream: "stderr", line, ...(isCut ? { isCut } : {}) }))
  }
  const group: ProcessGroup = yield* startGroup({
    argv: spec.argv,
    cwd: spec.directory,
    env: environmentOf(spec, process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"),
    onOutput: (stream, chunk) => splitters[stream].push(chunk)
  })
  yield* Effect.forkDetach(
    Effect.map(group.finished, () => {
      splitters.stdout.end()
      splitters.stderr.end()
      buffer.end()
    })
  )
  return { leader: group.leader, exited: group.exited, logs: buffer.entries, end: group.end }
})
