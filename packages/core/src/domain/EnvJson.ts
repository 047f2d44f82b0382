// Envs and their changes as JSON, to be sealed, and read back. What is not an Env or a change is an error that shows nothing
// of it, and never an empty Env. Not here: what a change means (Env.ts).
import { Redacted, Result, Schema } from "effect"
import { Env, type EnvChange, EnvKey, EnvValue } from "./Env.ts"

const isKey = Schema.is(EnvKey)
const isValue = Schema.is(EnvValue)

const isStored = ([key, value]: readonly [string, string | null]): boolean =>
  isKey(key) && (value === null || (value !== "" && isValue(value)))

const storedOnly = Schema.makeFilter(
  (record: Readonly<Record<string, string | null>>) =>
    Object.entries(record).every(isStored) || "only keys and values of an Env"
)

const StoredEnv = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String).check(storedOnly))

const StoredChange = Schema.Record(Schema.String, Schema.NullOr(Schema.String)).check(storedOnly)

const StoredChanges = Schema.fromJsonString(Schema.Union([StoredChange, Schema.Array(StoredChange)]))

/** The canonical JSON of an Env: keys in code-unit order, no spaces, `JSON.stringify` escapes. It is as secret as the Env. */
export const toCanonicalJson = (env: Env): Redacted.Redacted<string> => Redacted.make(objectJson(env))

/** Reads canonical JSON back. A text that is not an Env is an error, never an empty Env. */
export const fromCanonicalJson = (json: Redacted.Redacted<string>): Result.Result<Env, Schema.SchemaError> =>
  Result.map(Schema.decodeUnknownResult(StoredEnv)(Redacted.value(json)), (record) => Env.empty.with(changeOf(record)))

/** Writes changes that follow each other as JSON: one as an object, several as a list. It is as secret as the Env. */
export const changesToJson = (changes: ReadonlyArray<EnvChange>): Redacted.Redacted<string> => {
  const objects = changes.map(objectJson)
  return Redacted.make(objects.length === 1 ? objects.join("") : `[${objects.join(",")}]`)
}

/** Reads {@link changesToJson} back. */
export const changesFromJson = (
  json: Redacted.Redacted<string>
): Result.Result<ReadonlyArray<EnvChange>, Schema.SchemaError> =>
  Result.map(Schema.decodeUnknownResult(StoredChanges)(Redacted.value(json)), (stored) =>
    isSeveral(stored) ? stored.map(changeOf) : [changeOf(stored)]
  )

type StoredChange = typeof StoredChange.Type

const isSeveral = (stored: StoredChange | ReadonlyArray<StoredChange>): stored is ReadonlyArray<StoredChange> =>
  Array.isArray(stored)

/** Names need no escapes: they are ASCII letters, digits and underscores. */
const objectJson = (entries: Iterable<readonly [EnvKey, Redacted.Redacted<string> | null]>): string =>
  `{${[...entries]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => `"${key}":${value === null ? "null" : JSON.stringify(Redacted.value(value))}`)
    .join(",")}}`

const changeOf = (record: Readonly<Record<string, string | null>>): EnvChange =>
  new Map(
    Object.entries(record).flatMap(([key, value]) =>
      isKey(key) ? [[key, value === null ? null : Redacted.make(value)]] : []
    )
  )
