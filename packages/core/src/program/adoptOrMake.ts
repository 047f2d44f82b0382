// Makes something outside under a name that is always the same, so that whoever does it again finds it: what is ours is adopted,
// what is somebody else's is left alone, and nothing is made twice.
import { Effect, Schema } from "effect"

/** Something that is not ours bears the name; it was left alone, and nothing was made. */
export class NameConflict extends Schema.TaggedError<NameConflict>()("NameConflict", { name: Schema.String }) {
  readonly code = "name_conflict"
  override readonly message = `name_conflict: ${this.name} is the name of something that is not ours`
}

/** What bears a name: nothing, something of ours, or something that is not ours. Whose it is, a label or an owner says. */
export type Borne<A> =
  { readonly _tag: "Nothing" } | { readonly _tag: "Ours"; readonly value: A } | { readonly _tag: "Foreign" }

/** How something is found by its name, and made under it; made under a name that something bears it must fail. */
export interface NamedEffect<A, E, R> {
  readonly find: (name: string) => Effect.Effect<Borne<A>, E, R>
  readonly make: (name: string) => Effect.Effect<A, E, R>
}

/**
 * Adopts what is ours under a name, or makes it. When making it fails, it is looked once more who bears the name: the answer of
 * an earlier try may have been lost, or somebody else was faster. `NameConflict` when that is not ours.
 */
export const adoptOrMake = Effect.fn("adoptOrMake")(function* <A, E, R>(
  name: string,
  { find, make }: NamedEffect<A, E, R>
): Effect.fn.Return<A, E | NameConflict, R> {
  const adopted = Effect.fnUntraced(function* <E2>(orElse: Effect.Effect<A, E2, R>) {
    const borne = yield* find(name)
    if (borne._tag === "Nothing") return yield* orElse
    return borne._tag === "Ours" ? borne.value : yield* new NameConflict({ name })
  })
  const made = Effect.catch(make(name), (error) => adopted(Effect.fail(error)))
  return yield* adopted(made)
})
