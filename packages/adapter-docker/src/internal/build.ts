// Builds an image on the engine. Nothing but the engine's own word is success: it answers 200 also for a build that fails,
// and its stream ends in the same way when the build does and when the connection does.

import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { makeLineSplitter } from "@lockkeeper/core/domain/lineSplitter"
import { ImageDigest } from "@lockkeeper/core/domain/Workload"
import { RuntimeError } from "@lockkeeper/core/port/ContainerRuntime"
import type Dockerode from "dockerode"
import { Duration, Effect, Schema, type Scope, Stream } from "effect"
import { once } from "node:events"
import { buildContext } from "./buildContext.ts"
import { bytesOf, call, open, patience } from "./call.ts"
import type { ContainerLimits } from "./containerSpec.ts"
import { EngineError, oneLine, reasonOf } from "./EngineError.ts"
import { messages } from "./messages.ts"

const BuildMessage = Schema.Struct({
  stream: Schema.optionalKey(Schema.String),
  error: Schema.optionalKey(Schema.String),
  aux: Schema.optionalKey(Schema.Struct({ ID: Schema.optionalKey(ImageDigest) }))
})

/** How long the engine may take to receive a context: it says nothing before that. */
const uploadPatience = Duration.minutes(10)

/** Says lines of a build. */
export type Say = (entry: LogEntry) => Effect.Effect<void>

/**
 * Builds a tree. Interrupted, the engine is told at once, and nothing is left but images with our label, which later
 * builds start from. No secret takes part: neither the Env nor a key is known to a build.
 */
export const build = Effect.fnUntraced(function* (
  docker: Dockerode,
  directory: string,
  label: readonly [string, string],
  limits: ContainerLimits,
  say: Say
): Effect.fn.Return<ImageDigest, EngineError | RuntimeError, Scope.Scope> {
  const context = yield* buildContext(directory, label)
  yield* call("ping", patience.short, () => docker.ping())
  const stream = yield* Effect.raceFirst(
    open("build", (abortSignal) => send(docker, context, limits, abortSignal), uploadPatience),
    broken(context)
  )

  let image: ImageDigest | undefined
  let failure: string | undefined
  const lines: Array<LogEntry> = []
  const splitter = makeLineSplitter((line, isCut) => lines.push({ stream: "build", line, ...(isCut ? { isCut } : {}) }))
  const sayLines = Effect.suspend(() => Effect.forEach(lines.splice(0), say, { discard: true }))
  yield* Stream.runForEach(messages("build", BuildMessage, bytesOf("build", stream)), (message) => {
    image = message.aux?.ID ?? image
    failure = message.error ?? failure
    splitter.push(new TextEncoder().encode(withoutMarks(message.stream ?? "")))
    return sayLines
  })
  splitter.end()
  yield* sayLines

  if (failure !== undefined) return yield* failed(oneLine(failure))
  return (
    image ??
    (yield* new EngineError({
      operation: "build",
      reason: "unreachable",
      detail: "the engine went away while it built"
    }))
  )
})

const send = (docker: Dockerode, context: NodeJS.ReadableStream, limits: ContainerLimits, abortSignal: AbortSignal) =>
  docker.buildImage(context, {
    rm: true,
    forcerm: true,
    memory: limits.memoryBytes,
    memswap: limits.memoryBytes,
    cpuperiod: 100_000,
    cpuquota: Math.round(limits.cpus * 100_000),
    abortSignal
  })

/** Fails when the context cannot be read to its end: the engine would wait for the rest for ever. */
const broken = (context: NodeJS.ReadableStream): Effect.Effect<never, RuntimeError> =>
  Effect.tryPromise({
    try: (signal) => once(context, "close", { signal }),
    catch: (cause) =>
      failed(`the files of the source cannot be read: ${cause instanceof Error ? cause.message : "unknown"}`)
  }).pipe(Effect.andThen(Effect.never))

/** The engine colours what a step says on its standard error. */
const withoutMarks = (text: string): string => text.replaceAll("\u001B[91m", "").replaceAll("\u001B[0m", "")

const failed = (detail: string): RuntimeError =>
  reasonOf(detail) === "disk_full"
    ? new RuntimeError({ reason: "build_failed", detail: `the engine's disk is full: ${detail}` })
    : new RuntimeError({ reason: "build_failed", detail })
