// Lines of a log as they are stored: packed into chunks, so that a row holds many of them, and never so many that reading
// one line loads more than a bound. Not here: how they are numbered.

import { type LogEntry, type LogLine, LogStream } from "@lockkeeper/core/domain/LogLine"
import { DateTime, Schema, SchemaGetter } from "effect"
import { constants as zlib, gunzipSync, gzipSync } from "node:zlib"
import { Instant, Int8, storable } from "./columns.ts"

/** Some lines of one append. Numbers count its lines from 1; times are milliseconds. */
export interface Chunk {
  readonly first: number
  readonly last: number
  readonly packed: Uint8Array
  /** The earliest and the latest time that its lines of the Workload's output have of their own. */
  readonly output: { readonly from: number; readonly until: number } | undefined
  /** Whether a line of the output has no time of its own: it was said when the chunk was stored. */
  readonly isUntimed: boolean
}

/** A chunk is full with so many UTF-16 code units; one that a longer line makes fuller ends with it. */
export const chunkLength = 65_536

/** Lines that one stream said at one time, or without a time of their own. */
type Run = readonly [stream: LogStream, at: number | null, lines: Array<string>]

/** The bytes of a line as they count: in UTF-8, with its line end. */
export const bytesOf = (line: string): number => Buffer.byteLength(line) + 1

/** Lines as they can be stored, and their bytes. Most are so as they are, which is seen from all of them at once. */
export const storableLines = (
  said: ReadonlyArray<LogEntry>
): { readonly entries: ReadonlyArray<LogEntry>; readonly bytes: number } => {
  const text = said.map(({ line }) => line).join("\n")
  if (text.isWellFormed() && !text.includes("\0")) return { entries: said, bytes: bytesOf(text) }
  const entries = said.map((entry) => ({ ...entry, line: storable(entry.line) }))
  return { entries, bytes: entries.reduce((sum, { line }) => sum + bytesOf(line), 0) }
}

/** Packs lines, in their order. */
export const pack = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<Chunk> => {
  const chunks: Array<Chunk> = []
  let chunk = emptyChunk()
  entries.forEach((entry, index) => {
    chunk.add(entry)
    if (chunk.length() < chunkLength && index + 1 < entries.length) return
    chunks.push(chunk.sealed(chunks.at(-1)?.last ?? 0, index + 1))
    chunk = emptyChunk()
  })
  return chunks
}

const isOutput = (stream: LogStream): boolean => stream === "stdout" || stream === "stderr"

const emptyChunk = () => {
  const runs: Array<Run> = []
  let [length, isUntimed, from, until] = [0, false, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let run: Run | undefined

  const add = ({ at, line, stream }: LogEntry): void => {
    const millis = at === undefined ? null : at.epochMilliseconds
    if (run === undefined || run[0] !== stream || run[1] !== millis) runs.push((run = [stream, millis, []]))
    run[2].push(line)
    length += line.length
    if (!isOutput(stream)) return
    if (millis === null) isUntimed = true
    else [from, until] = [Math.min(from, millis), Math.max(until, millis)]
  }
  const sealed = (before: number, last: number): Chunk => ({
    first: before + 1,
    last,
    packed: squeezed(JSON.stringify(runs)),
    output: from > until ? undefined : { from, until },
    isUntimed
  })
  return { add, sealed, length: () => length }
}

/** What is shorter, in bytes, gains nothing. */
const leastSqueezed = 512

const squeezed = (json: string): Uint8Array => {
  const bytes = Buffer.from(json)
  return bytes.length < leastSqueezed ? bytes : gzipSync(bytes, { level: zlib.Z_BEST_SPEED })
}

/** The first byte of what is in the form of gzip; JSON begins with another one. */
const gzipMagic = 0x1f

/** Nothing, which is no JSON, for what is damaged: its checksum tells. */
const released = (packed: Uint8Array): string => {
  try {
    return (packed[0] === gzipMagic ? gunzipSync(packed) : Buffer.from(packed)).toString()
  } catch {
    return ""
  }
}

/** JSON, in the form of gzip (RFC 1952) where that is shorter. */
const Json = Schema.Uint8Array.pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transform(released),
    encode: SchemaGetter.transform(squeezed)
  })
)

const Packed = Json.pipe(
  Schema.decodeTo(
    Schema.fromJsonString(
      Schema.Array(Schema.Tuple([LogStream, Schema.NullOr(Schema.Int), Schema.Array(Schema.String)]))
    )
  )
)

const linesIn = (runs: typeof Packed.Type): number => runs.reduce((sum, [, , { length }]) => sum + length, 0)

/** A row of a chunk: with as many lines as it has numbers, or it is none. */
export const ChunkRow = Schema.Struct({ first: Int8, last: Int8, at: Instant, packed: Packed }).check(
  Schema.makeFilter(
    ({ first, last, packed }) => linesIn(packed) === last - first + 1 || "a chunk with all of its lines"
  )
)

/** The type of {@link ChunkRow}. */
export type ChunkRow = typeof ChunkRow.Type

/** The lines of a chunk. */
export const unpack = ({ at, first, packed }: ChunkRow): ReadonlyArray<LogLine> => {
  const lines: Array<LogLine> = []
  for (const [stream, millis, said] of packed) {
    const time = millis === null ? at : DateTime.makeUnsafe(millis)
    for (const line of said) lines.push({ seq: first + lines.length, at: time, stream, line })
  }
  return lines
}

/** The lines of a chunk that the Workload said. */
export const outputOf = (row: ChunkRow): ReadonlyArray<LogLine> => unpack(row).filter(({ stream }) => isOutput(stream))
