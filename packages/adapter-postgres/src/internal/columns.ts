// How values of the database become values of the domain, where the driver's own form is another one.

import { Schema, SchemaGetter } from "effect"

/** A `bigint` column whose values stay far below 2^53: positions, fences, versions, sizes. */
export const Int8 = Schema.BigInt.pipe(
  Schema.decodeTo(Schema.Int, {
    decode: SchemaGetter.transform((value: bigint) => Number(value)),
    encode: SchemaGetter.transform((value: number) => BigInt(value))
  })
)

/** A `timestamptz` column. */
export const Instant = Schema.DateTimeUtcFromDate

/** A `bytea` column with what the SecretCipher sealed. */
export const Sealed = Schema.Uint8Array

/** Text as a `text` column takes it: without NUL and with whole characters only. */
export const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD")
