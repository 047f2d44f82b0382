// An App's variables and the only place that decides what a change to them means: what is set, what is deleted, how it
// is counted, how large the result is, and whether anything changed at all. Not here: who may change them, and when.
import { Redacted, Result, Schema } from "effect"

/** The name of a variable. `PORT` and names that begin with `LOCKKEEPER_` belong to Lockkeeper. */
export const EnvKey = Schema.String.check(
  Schema.isPattern(/^(?!LOCKKEEPER_)(?!PORT$)[A-Z_][A-Z0-9_]*$/),
  Schema.isMaxLength(1024)
).pipe(Schema.brand("EnvKey"))

/** The type of {@link EnvKey}. */
export type EnvKey = typeof EnvKey.Type

/** What is shown in place of a value. It is refused as a value, so that nobody stores what a masked answer showed. */
export const mask = "***"

/** The value of a variable: well-formed Unicode without NUL, and not the {@link mask}. Empty means: delete. */
export const EnvValue = Schema.String.check(
  Schema.makeFilter((value: string) => (value.isWellFormed() && !value.includes("\0") && value !== mask) || "a value")
)

/** The number of an Env's last change; gap-free per App, 0 before the first. */
export const Revision = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).pipe(Schema.brand("Revision"))

/** The type of {@link Revision}. */
export type Revision = typeof Revision.Type

/** Variables by name. */
export type Env = ReadonlyMap<EnvKey, Redacted.Redacted<string>>

/** What to do to an Env: set these values, delete those (`null`). */
export type EnvChange = ReadonlyMap<EnvKey, Redacted.Redacted<string> | null>

/** The Env of a new App. */
export const empty: Env = new Map()

/** The largest Env, in bytes of its canonical JSON. */
export const limitBytes = 65_536

/** A change names a key that is not one. */
export class InvalidEnvKey extends Schema.TaggedError<InvalidEnvKey>()("InvalidEnvKey", { key: Schema.String }) {}

/** A change carries something that is not a value for this key. */
export class InvalidEnvValue extends Schema.TaggedError<InvalidEnvValue>()("InvalidEnvValue", { key: Schema.String }) {}

/** The changed Env would be larger than it may be; nothing is changed. Sizes are bytes. */
export class EnvTooLarge extends Schema.TaggedError<EnvTooLarge>()("EnvTooLarge", {
  limit: Schema.Int,
  actual: Schema.Int
}) {}

/** What a change came to: the new Env, the names that were set and deleted, and whether any byte differs. */
export interface EnvApplied {
  readonly env: Env
  readonly keysSet: ReadonlyArray<EnvKey>
  readonly keysDeleted: ReadonlyArray<EnvKey>
  readonly changed: boolean
  readonly bytes: number
}

const isKey = Schema.is(EnvKey)
const isValue = Schema.is(EnvValue)
const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Reads a change from untrusted entries. `null` and the empty string delete. The first key that is wrong is named. */
export const parseChange = (
  entries: Iterable<readonly [string, unknown]>
): Result.Result<EnvChange, InvalidEnvKey | InvalidEnvValue> => {
  const change = new Map<EnvKey, Redacted.Redacted<string> | null>()
  for (const [key, value] of entries) {
    if (!isKey(key)) return Result.fail(new InvalidEnvKey({ key }))
    if (value !== null && !isValue(value)) return Result.fail(new InvalidEnvValue({ key }))
    change.set(key, value === null || value === "" ? null : Redacted.make(value))
  }
  return Result.succeed(change)
}

/** The canonical JSON of an Env: keys in code-unit order, no spaces, `JSON.stringify` escapes. It is as secret as the Env. */
export const toCanonicalJson = (env: Env): Redacted.Redacted<string> =>
  Redacted.make(
    `{${[...env]
      .sort(([a], [b]) => byName(a, b))
      .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(Redacted.value(value))}`)
      .join(",")}}`
  )

/** The size of an Env: the UTF-8 bytes of its canonical JSON. */
export const sizeBytes = (env: Env): number => new TextEncoder().encode(Redacted.value(toCanonicalJson(env))).byteLength

/**
 * Applies a change. `keysSet` are the non-empty values of the change, whether they differ from the present ones or not;
 * `keysDeleted` are the keys that were present and are gone.
 */
export const apply = (env: Env, change: EnvChange): Result.Result<EnvApplied, EnvTooLarge> => {
  const next = new Map(env)
  const keysSet: Array<EnvKey> = []
  const keysDeleted: Array<EnvKey> = []
  let changed = false
  for (const [key, value] of change) {
    const present = env.get(key)
    if (value !== null) {
      keysSet.push(key)
      changed ||= present === undefined || Redacted.value(present) !== Redacted.value(value)
      next.set(key, value)
    } else if (next.delete(key)) {
      keysDeleted.push(key)
      changed = true
    }
  }
  const bytes = sizeBytes(next)
  if (changed && bytes > limitBytes) return Result.fail(new EnvTooLarge({ limit: limitBytes, actual: bytes }))
  return Result.succeed({
    env: next,
    keysSet: keysSet.sort(byName),
    keysDeleted: keysDeleted.sort(byName),
    changed,
    bytes
  })
}

const isStored = ([key, value]: readonly [string, string | null]): boolean =>
  isKey(key) && (value === null || (value !== "" && isValue(value)))
const storedOnly = Schema.makeFilter(
  (record: Readonly<Record<string, string | null>>) =>
    Object.entries(record).every(isStored) || "only keys and values of an Env"
)
const Stored = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String).check(storedOnly))
const StoredChange = Schema.fromJsonString(Schema.Record(Schema.String, Schema.NullOr(Schema.String)).check(storedOnly))

/** Reads canonical JSON back. A text that is not an Env is an error, never an empty Env. */
export const fromCanonicalJson = (json: Redacted.Redacted<string>): Result.Result<Env, Schema.SchemaError> =>
  Result.map(
    Schema.decodeUnknownResult(Stored)(Redacted.value(json)),
    (record) =>
      new Map(Object.entries(record).flatMap(([key, value]) => (isKey(key) ? [[key, Redacted.make(value)]] : [])))
  )

/** Writes a change as JSON, to be sealed. It is as secret as the Env. */
export const changeToJson = (change: EnvChange): Redacted.Redacted<string> =>
  Redacted.make(
    JSON.stringify(
      Object.fromEntries(
        [...change]
          .sort(([a], [b]) => byName(a, b))
          .map(([key, value]) => [key, value === null ? null : Redacted.value(value)])
      )
    )
  )

/** Reads {@link changeToJson} back. */
export const changeFromJson = (json: Redacted.Redacted<string>): Result.Result<EnvChange, Schema.SchemaError> =>
  Result.map(
    Schema.decodeUnknownResult(StoredChange)(Redacted.value(json)),
    (record) =>
      new Map(
        Object.entries(record).flatMap(([key, value]) =>
          isKey(key) ? [[key, value === null ? null : Redacted.make(value)]] : []
        )
      )
  )
