// An App's variables and the only place that decides what a change to them means: what is set, what is deleted, how it
// is counted, how large the result is, and whether anything changed at all. Not here: who may change them, and when.
import { HashMap, Option, Redacted, Result, Schema } from "effect"

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

/** What to do to an Env: set these values, delete those (`null`). */
export type EnvChange = ReadonlyMap<EnvKey, Redacted.Redacted<string> | null>

type Values = HashMap.HashMap<EnvKey, Redacted.Redacted<string>>

/** Variables by name, and what they take as canonical JSON. An Env never changes: {@link apply} makes another one. */
export class Env {
  readonly #values: Values
  /** The size of this Env: the UTF-8 bytes of its canonical JSON. */
  readonly bytes: number

  private constructor(values: Values, bytes: number) {
    this.#values = values
    this.bytes = bytes
  }

  /** The Env of a new App. */
  static readonly empty: Env = new Env(HashMap.empty(), 2)

  /** How many variables there are. */
  get size(): number {
    return HashMap.size(this.#values)
  }

  /** The value of a variable. */
  get(key: EnvKey): Redacted.Redacted<string> | undefined {
    return Option.getOrUndefined(HashMap.get(this.#values, key))
  }

  /** The names, in code-unit order. */
  keys(): ReadonlyArray<EnvKey> {
    return [...HashMap.keys(this.#values)].sort(byName)
  }

  /** The variables, in the order of their names. */
  [Symbol.iterator](): Iterator<readonly [EnvKey, Redacted.Redacted<string>]> {
    return HashMap.toEntries(this.#values)
      .sort(([a], [b]) => byName(a, b))
      .values()
  }

  /** This Env with these values in place of the ones of the same names; `null` takes one away. */
  with(change: EnvChange): Env {
    let bytes = this.bytes + (this.size === 0 ? 0 : 1)
    const values = HashMap.mutate(this.#values, (draft) => {
      for (const [key, value] of change) {
        const present = Option.getOrUndefined(HashMap.get(draft, key))
        if (present !== undefined) bytes -= entryBytes(key, present)
        if (value !== null) bytes += entryBytes(key, value)
        if (value !== null) HashMap.set(draft, key, value)
        else HashMap.remove(draft, key)
      }
    })
    return new Env(values, bytes - (HashMap.size(values) === 0 ? 0 : 1))
  }
}

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
}

const isKey = Schema.is(EnvKey)
const isValue = Schema.is(EnvValue)

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

/**
 * Applies a change. `keysSet` are the non-empty values of the change, whether they differ from the present ones or not;
 * `keysDeleted` are the keys that were present and are gone.
 */
export const apply = (env: Env, change: EnvChange): Result.Result<EnvApplied, EnvTooLarge> => {
  const keysSet: Array<EnvKey> = []
  const keysDeleted: Array<EnvKey> = []
  let changed = false
  for (const [key, value] of change) {
    const present = env.get(key)
    if (value !== null) {
      keysSet.push(key)
      changed ||= present === undefined || Redacted.value(present) !== Redacted.value(value)
    } else if (present !== undefined) {
      keysDeleted.push(key)
      changed = true
    }
  }
  const next = changed ? env.with(change) : env
  if (next.bytes > limitBytes && changed) {
    return Result.fail(new EnvTooLarge({ limit: limitBytes, actual: next.bytes }))
  }
  return Result.succeed({ env: next, keysSet: keysSet.sort(byName), keysDeleted: keysDeleted.sort(byName), changed })
}

/** The change that makes an Env hold what `change` sets, and nothing else. */
export const replacing = (env: Env, change: EnvChange): EnvChange =>
  new Map([...env.keys().map((key) => [key, null] as const), ...change])

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const utf8 = new TextEncoder()

/** A text whose JSON is itself between quotes, a byte for each character. Most values are one. */
const plain = /^[ !#-[\]-~]*$/

const jsonBytes = (text: string): number =>
  plain.test(text) ? text.length + 2 : utf8.encode(JSON.stringify(text)).byteLength

/** What an entry takes with the comma after it; the last one has none, but the braces are two. */
const entryBytes = (key: EnvKey, value: Redacted.Redacted<string>): number =>
  jsonBytes(Redacted.value(value)) + key.length + 4
