// What an object does when its operations run one at a time: the specification that histories are checked against.
// A model is an oracle. It is written naively and shares no code with what it judges.
import type { Option, Schema } from "effect"

/**
 * The sequential meaning of one object. All functions are pure. An output of `none` stands for an operation whose answer
 * nobody saw: `step` then answers every state that any of its answers could lead to.
 */
export interface SequentialModel<State, Input, Output> {
  /** The states that the object may begin in. */
  readonly initial: ReadonlyArray<State>
  /** The states that may follow; none when the object could not have given this output in this state. */
  readonly step: (state: State, input: Input, output: Option.Option<Output>) => ReadonlyArray<State>
  /** Equal for equal states and for no others. It is shown to people too. */
  readonly fingerprint: (state: State) => string
  /** Whether an operation with this output leaves every state as it is. */
  readonly isReadOnly: (input: Input, output: Option.Option<Output>) => boolean
  /**
   * Whether no operations at all lead from a state to one that gives this output, as when a counter that only grows is
   * beyond it. It may say so of fewer states than it could, or be left out: it only makes judging faster.
   */
  readonly isPast?: (state: State, output: Output) => boolean
  /** One operation in one line. */
  readonly describe: (input: Input, output: Option.Option<Output>) => string
}

/** How inputs and outputs are written as JSON. */
export interface HistoryCodec<Input, Output> {
  readonly input: Schema.Codec<Input, unknown>
  readonly output: Schema.Codec<Output, unknown>
}
