// Changes of Envs for property tests: few keys, so that changes meet, some of them named like what every object has.

import { Redacted, Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import * as Env from "../../src/domain/Env.ts"

/** A change as it comes from outside. */
export type Entries = ReadonlyArray<readonly [string, string | null]>

const Key = Schema.Literals(["A", "B", "C_1", "_", "__PROTO__", "CONSTRUCTOR", "TOSTRING", "VALUEOF"])
const Entry = Schema.Tuple([Key, Schema.NullOr(Env.EnvValue)])

/** Up to twelve entries; a key may occur twice. */
export const anyEntries: Arbitrary.Arbitrary<Entries> = Arbitrary.array(Arbitrary.schema(Entry), { maxLength: 12 })

/** The change of these entries. */
export const changeOf = (entries: Entries): Env.EnvChange => Result.getOrThrow(Env.parseChange(entries))

/** What a change comes to that fits. */
export const applied = (env: Env.Env, change: Env.EnvChange): Env.EnvApplied =>
  Result.getOrThrow(Env.apply(env, change))

/** The Env that these entries make. */
export const envOf = (entries: Entries): Env.Env => applied(Env.empty, changeOf(entries)).env

/** The names and values of an Env, in order. */
export const plain = (env: Env.Env): ReadonlyArray<[string, string]> =>
  [...env].map(([key, value]): [string, string] => [key, Redacted.value(value)]).sort()
