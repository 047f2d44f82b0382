// Changes of Envs for property tests: few keys, so that changes meet, some of them named like what every object has; and
// values of characters that take one to six bytes of JSON.

import { Redacted, Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import * as Env from "../../src/domain/Env.ts"

/** A change as it comes from outside. */
export type Entries = ReadonlyArray<readonly [string, string | null]>

const Key = Schema.Literals(["A", "B", "C_1", "_", "__PROTO__", "CONSTRUCTOR", "TOSTRING", "VALUEOF"])
const Piece = Schema.Literals([...'aé€\u{1F512}\n\u0001\u007f"\\\u2028\u202e*'])
const Entry = Schema.Tuple([Key, Schema.NullOr(Schema.Union([Env.EnvValue, Schema.Array(Piece)]))])

const anyEntry: Arbitrary.Arbitrary<readonly [string, string | null]> = Arbitrary.filter(
  Arbitrary.map(
    Arbitrary.schema(Entry),
    ([key, value]) => [key, value === null || typeof value === "string" ? value : value.join("")] as const
  ),
  ([, value]) => value !== Env.mask
)

/** Up to twelve entries; a key may occur twice. */
export const anyEntries: Arbitrary.Arbitrary<Entries> = Arbitrary.array(anyEntry, { maxLength: 12 })

/** Up to eight changes that follow each other. */
export const anyChanges: Arbitrary.Arbitrary<ReadonlyArray<Entries>> = Arbitrary.array(anyEntries, { maxLength: 8 })

/** The change of these entries. */
export const changeOf = (entries: Entries): Env.EnvChange => Result.getOrThrow(Env.parseChange(entries))

/** What a change comes to that fits. */
export const applied = (env: Env.Env, change: Env.EnvChange): Env.EnvApplied =>
  Result.getOrThrow(Env.apply(env, change))

/** The Env that these entries make. */
export const envOf = (entries: Entries): Env.Env => applied(Env.Env.empty, changeOf(entries)).env

/** The names and values of an Env, in order. */
export const plain = (env: Env.Env): ReadonlyArray<[string, string]> =>
  [...env].map(([key, value]): [string, string] => [key, Redacted.value(value)]).sort()

/** The Env after these changes, and each one on the way to it. */
export const walk = (changes: ReadonlyArray<Entries>): ReadonlyArray<Env.Env> => {
  const envs = [Env.Env.empty]
  for (const entries of changes) envs.push(applied(envs.at(-1) ?? Env.Env.empty, changeOf(entries)).env)
  return envs
}

/** The same over a plain map: what any change of an Env has to come to. */
export const naively = (before: ReadonlyMap<string, string>, entries: Entries): ReadonlyMap<string, string> => {
  const next = new Map(before)
  for (const [key, value] of entries) {
    if (value === null || value === "") next.delete(key)
    else next.set(key, value)
  }
  return next
}

/** The JSON of a plain map by an encoder that keeps nothing. */
export const naiveJson = (values: Iterable<readonly [string, string]>): string =>
  JSON.stringify(Object.fromEntries([...values].sort(([a], [b]) => (a < b ? -1 : 1))))
