// What a writer does again and again, whatever it is that writes.

import { Data, type Effect } from "effect"

/** A change of one key of an App by a writer. */
interface Change {
  readonly app: string
  readonly writer: number
  readonly key: string
  readonly value: string
}

/** A step failed; `kind` says in a word how. */
export class StepFailed extends Data.TaggedError("StepFailed")<{ readonly kind: string }> {}

/** Makes one change and answers its Revision. */
export type Step = (change: Change) => Effect.Effect<number, StepFailed>
