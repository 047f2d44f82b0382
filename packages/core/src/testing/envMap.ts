// The sequential meaning of an Env: variables that are merged, replaced and read, and a revision that counts the changes.
// It is written apart from the product's own decision, so that it can contradict it.
import { Equal, Option, Schema } from "effect"
import type { HistoryCodec, SequentialModel } from "./SequentialModel.ts"

const Entries = Schema.Record(Schema.String, Schema.String)
const Changes = Schema.Record(Schema.String, Schema.NullOr(Schema.String))
const Expected = Schema.optionalKey(Schema.Int)

/** What is asked of an {@link envMap}. An empty string deletes its key, as null does. */
export const EnvInput = Schema.Union([
  Schema.Struct({ type: Schema.Literal("merge"), changes: Changes, expectedRevision: Expected }),
  Schema.Struct({ type: Schema.Literal("replace"), entries: Entries, expectedRevision: Expected }),
  Schema.Struct({ type: Schema.Literal("read") })
])

/** The type of {@link EnvInput}. */
export type EnvInput = typeof EnvInput.Type

/** What is answered. `unchanged` is a change that came to nothing; `mismatch` one that expected another revision. */
export const EnvOutput = Schema.Union([
  Schema.Struct({ type: Schema.Literals(["revised", "unchanged", "mismatch"]), revision: Schema.Int }),
  Schema.Struct({ type: Schema.Literal("read"), revision: Schema.Int, entries: Entries })
])

/** The type of {@link EnvOutput}. */
export type EnvOutput = typeof EnvOutput.Type

/** Variables by name, and how many changes led to them. */
export interface EnvState {
  readonly revision: number
  readonly entries: ReadonlyMap<string, string>
}

/** An Env, empty and at revision 0 at first. Each change that changes something makes the next revision, without a gap. */
export const envMap: SequentialModel<EnvState, EnvInput, EnvOutput> & HistoryCodec<EnvInput, EnvOutput> = {
  input: EnvInput,
  output: EnvOutput,
  initial: [{ revision: 0, entries: new Map() }],
  step: (state, input, output) => {
    const [next, answer] = run(state, input)
    return Option.isNone(output) || Equal.equals(output.value, answer) ? [next] : []
  },
  fingerprint: ({ revision, entries }) => `revision ${revision} ${describeEntries(entries)}`,
  isReadOnly: (input, output) => input.type === "read" || (Option.isSome(output) && output.value.type !== "revised"),
  isPast: ({ revision }, output) => output.revision < revision + (output.type === "revised" ? 1 : 0),
  describe: (input, output) =>
    `${describeInput(input)} -> ${Option.match(output, { onNone: () => "?", onSome: describeOutput })}`
}

const run = (state: EnvState, input: EnvInput): readonly [EnvState, EnvOutput] => {
  const { revision, entries } = state
  if (input.type === "read") return [state, { type: "read", revision, entries: Object.fromEntries(entries) }]
  if (input.expectedRevision !== undefined && input.expectedRevision !== revision) {
    return [state, { type: "mismatch", revision }]
  }
  const next = input.type === "merge" ? merged(entries, input.changes) : merged(new Map(), input.entries)
  return describeEntries(next) === describeEntries(entries)
    ? [state, { type: "unchanged", revision }]
    : [
        { revision: revision + 1, entries: next },
        { type: "revised", revision: revision + 1 }
      ]
}

const merged = (
  entries: ReadonlyMap<string, string>,
  changes: { readonly [key: string]: string | null }
): ReadonlyMap<string, string> => {
  const next = new Map(entries)
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(key)
    else next.set(key, value)
  }
  return next
}

const describeEntries = (entries: Iterable<readonly [string, string | null]>): string =>
  JSON.stringify(Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1))))

const describeInput = (input: EnvInput): string => {
  if (input.type === "read") return "read"
  const { expectedRevision } = input
  const body = describeEntries(Object.entries(input.type === "merge" ? input.changes : input.entries))
  return `${input.type} ${body}${expectedRevision === undefined ? "" : ` at revision ${expectedRevision}`}`
}

const describeOutput = (output: EnvOutput): string =>
  output.type === "read"
    ? `revision ${output.revision} ${describeEntries(Object.entries(output.entries))}`
    : `${output.type}, revision ${output.revision}`
