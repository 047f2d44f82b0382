// Commands inside a running container. Letting go of one does not stop it: only removing its container does, so each runs in
// a container that is removed.

import type Dockerode from "dockerode"
import { Effect, Redacted, Schema, Stream } from "effect"
import { bytesOf, call, decoded, open, patience } from "./call.ts"
import type { EngineError } from "./EngineError.ts"
import { makeFrameReader } from "./output.ts"
import { EngineId } from "./references.ts"

/** What to run. `input` goes to its standard input and nowhere else. */
export interface ContainerCommand {
  readonly argv: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>> | undefined
  readonly input?: Redacted.Redacted<string> | undefined
}

/** How it ended, with the first part of what it printed and the last part of its complaints. */
export interface CommandEnded {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const keptBytes = 64 * 1024

const ExecSeen = Schema.Struct({ Running: Schema.Boolean, ExitCode: Schema.NullOr(Schema.Int) })

/** Runs a command to its end, as long as that takes. */
export const run = (
  docker: Dockerode,
  container: EngineId,
  { argv, environment = {}, input }: ContainerCommand
): Effect.Effect<CommandEnded, EngineError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const exec = yield* call("exec", patience.short, (abortSignal) =>
        docker.getContainer(container).exec({
          Cmd: [...argv],
          Env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
          AttachStdin: input !== undefined,
          AttachStdout: true,
          AttachStderr: true,
          abortSignal
        })
      )
      yield* decoded("exec", EngineId)(exec.id)
      const stream = yield* open("exec", (abortSignal) =>
        exec.start({ hijack: true, stdin: input !== undefined, abortSignal }).then((duplex) => {
          if (input !== undefined) duplex.end(Redacted.value(input))
          return duplex
        })
      )
      const output = yield* collected(bytesOf("exec", stream))
      const seen = yield* call("exec", patience.short, (abortSignal) => exec.inspect({ abortSignal })).pipe(
        Effect.flatMap(decoded("exec", ExecSeen))
      )
      return { ...output, code: seen.ExitCode ?? -1 }
    })
  )

const collected = Effect.fnUntraced(function* (bytes: Stream.Stream<Uint8Array, EngineError>) {
  const read = makeFrameReader()
  let stdout = Buffer.alloc(0)
  let stderr = Buffer.alloc(0)
  yield* Stream.runForEach(bytes, (chunk) =>
    Effect.sync(() => {
      for (const { payload, stream } of read(chunk)) {
        if (stream === "stderr") stderr = Buffer.concat([stderr, payload]).subarray(-keptBytes)
        else stdout = Buffer.concat([stdout, payload]).subarray(0, keptBytes)
      }
    })
  )
  return { stdout: stdout.toString("utf8"), stderr: stderr.toString("utf8") }
})
