// The messages of a long answer of the engine: one JSON object a line, decoded as it comes.

import { Schema, Stream } from "effect"
import { decoded } from "./call.ts"
import type { EngineError } from "./EngineError.ts"

/** Decodes every message. One that is not understood ends the stream with an error. */
export const messages = <S extends Schema.Top & { readonly DecodingServices: never }>(
  operation: string,
  schema: S,
  bytes: Stream.Stream<Uint8Array, EngineError>
): Stream.Stream<S["Type"], EngineError> => {
  const decode = decoded(operation, Schema.fromJsonString(schema))
  return bytes.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.filter((line) => line.trim() !== ""),
    Stream.mapEffect((line) => decode(line))
  )
}
