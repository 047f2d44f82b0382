// What a container says: the engine sends both outputs as frames in one stream, each message with the time at which it was
// said in front. Reads frames however they are cut, and puts lines together from messages.

import type { LogCursor, LogEntry } from "@lockkeeper/core/domain/LogLine"
import { makeLineSplitter } from "@lockkeeper/core/domain/lineSplitter"
import { DateTime, Effect, Option, Stream } from "effect"
import { type EngineError, engineError } from "./EngineError.ts"

/** A message of one output. */
export interface Frame {
  readonly stream: "stdout" | "stderr"
  readonly payload: Uint8Array
}

const headerBytes = 8
const largestFrame = 16 * 1024 * 1024

/** Takes the bytes of a stream and answers the frames that are complete. */
export const makeFrameReader = (): ((chunk: Uint8Array) => ReadonlyArray<Frame>) => {
  let pending = Buffer.alloc(0)
  return (chunk) => {
    const frames: Array<Frame> = []
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= headerBytes) {
      const size = pending.readUInt32BE(4)
      if (size > largestFrame || (pending[0] ?? 3) > 2) throw new RangeError("not a frame")
      if (pending.length < headerBytes + size) break
      const payload = pending.subarray(headerBytes, headerBytes + size)
      frames.push({ stream: pending[0] === 2 ? "stderr" : "stdout", payload })
      pending = pending.subarray(headerBytes + size)
    }
    return frames
  }
}

const space = 32

/** Takes the time off a message. One without it, as none should be, is taken as it is. */
const timed = (payload: Uint8Array): { readonly at: DateTime.Utc | undefined; readonly text: Uint8Array } => {
  const end = payload.indexOf(space)
  const at =
    end > 0 && end <= 40 ? DateTime.make(Buffer.from(payload.subarray(0, end)).toString("latin1")) : Option.none()
  return Option.isNone(at) ? { at: undefined, text: payload } : { at: at.value, text: payload.subarray(end + 1) }
}

/** Takes frames and answers the lines that are complete, each with the time of its first message. */
const makeLineReader = () => {
  const entries: Array<LogEntry> = []
  const outputs = { stdout: makeOutput("stdout", entries), stderr: makeOutput("stderr", entries) }
  return {
    push: ({ payload, stream }: Frame): ReadonlyArray<LogEntry> => {
      outputs[stream].push(payload)
      return entries.splice(0)
    },
    end: (): ReadonlyArray<LogEntry> => {
      outputs.stdout.end()
      outputs.stderr.end()
      return entries.splice(0)
    }
  }
}

const makeOutput = (stream: Frame["stream"], entries: Array<LogEntry>) => {
  let at: DateTime.Utc | undefined
  const splitter = makeLineSplitter((line, isCut) => entries.push({ stream, line, at, ...(isCut ? { isCut } : {}) }))
  return {
    push: (payload: Uint8Array): void => {
      const message = timed(payload)
      at = message.at
      splitter.push(message.text)
    },
    end: splitter.end
  }
}

/** The lines of an output in frames. */
export const lines = (bytes: Stream.Stream<Uint8Array, EngineError>): Stream.Stream<LogEntry, EngineError> =>
  Stream.suspend(() => {
    const read = makeFrameReader()
    const reader = makeLineReader()
    return bytes.pipe(
      Stream.mapEffect((chunk) =>
        Effect.try({ try: () => read(chunk).flatMap(reader.push), catch: (cause) => engineError("logs", cause) })
      ),
      Stream.flatMap((entries) => Stream.fromIterable(entries)),
      Stream.concat(Stream.suspend(() => Stream.fromIterable(reader.end())))
    )
  })

/** The time of a cursor as the engine takes it: seconds with their fraction. */
export const sinceOf = ({ at }: LogCursor): string => {
  const millis = at.epochMilliseconds
  return `${Math.floor(millis / 1_000)}.${String(millis % 1_000).padStart(3, "0")}000000`
}

/** Leaves out what a cursor has behind it: what is older, and as many lines of its very time as were read. */
export const after =
  (cursor: LogCursor | undefined) =>
  (entries: Stream.Stream<LogEntry, EngineError>): Stream.Stream<LogEntry, EngineError> =>
    Stream.suspend(() => {
      if (cursor === undefined) return entries
      let behind = cursor.lines
      return Stream.filter(entries, ({ at }) => {
        const millis = at?.epochMilliseconds ?? Number.POSITIVE_INFINITY
        if (millis < cursor.at.epochMilliseconds) return false
        return millis > cursor.at.epochMilliseconds || --behind < 0
      })
    })
