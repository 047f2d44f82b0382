// One line of a Deployment's or a Workload's log.
import { type DateTime, Schema } from "effect"

/** Who said a line: Lockkeeper itself, the build, or the Workload's two outputs. */
export const LogStream = Schema.Literals(["system", "build", "stdout", "stderr"])

/** The type of {@link LogStream}. */
export type LogStream = typeof LogStream.Type

/**
 * A line as it is said, and when, where that is known better than by the time at which it is stored. One that was too long
 * is cut: it goes on with the next entry of its stream.
 */
export interface LogEntry {
  readonly stream: LogStream
  readonly line: string
  readonly at?: DateTime.Utc | undefined
  readonly isCut?: boolean | undefined
}

/** How far the output of a Workload was read: the time of the last line, and how many lines of that very time. */
export interface LogCursor {
  readonly at: DateTime.Utc
  readonly lines: number
}

/** A line as it is stored: `seq` is gap-free per log and begins with 1. */
export const LogLine = Schema.Struct({
  seq: Schema.Int,
  at: Schema.DateTimeUtc,
  stream: LogStream,
  line: Schema.String
})

/** The type of {@link LogLine}. */
export interface LogLine extends Schema.Schema.Type<typeof LogLine> {}
