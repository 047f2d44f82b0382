// Runs a short program in a group of its own and returns how it ended. Output beyond a bound is dropped: the first
// bytes of standard output and the last ones of standard error are kept.

import { Duration, Effect } from "effect"
import { type GroupExit, type GroupSpec, startGroup } from "./processGroup.ts"

export interface Ended extends GroupExit {
  readonly stdout: string
  readonly stderr: string
}

const keptBytes = 64 * 1024
const grace = Duration.seconds(2)

/** Runs to the end; an interruption ends the whole group and waits until it is gone. Fails when nothing was started. */
export const runToEnd = (spec: Omit<GroupSpec, "onOutput">): Effect.Effect<Ended, string> =>
  Effect.suspend(() => {
    let stdout = Buffer.alloc(0)
    let stderr = Buffer.alloc(0)
    const onOutput = (stream: "stdout" | "stderr", chunk: Buffer): void => {
      if (stream === "stdout") stdout = Buffer.concat([stdout, chunk.subarray(0, keptBytes - stdout.length)])
      else stderr = Buffer.concat([stderr, chunk]).subarray(-keptBytes)
    }
    return Effect.acquireUseRelease(
      startGroup({ ...spec, onOutput }),
      (group) => group.finished,
      (group) => group.end(grace)
    ).pipe(Effect.map((exit) => ({ ...exit, stdout: stdout.toString("utf8"), stderr: stderr.toString("utf8") })))
  })
