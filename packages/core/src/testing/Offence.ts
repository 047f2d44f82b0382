// The part of a history that shows that nothing explains it, as small as it could be made.
import type { Operation } from "./History.ts"

/** A part of a history that cannot be linearized from any of the states that what came before may have led to. */
export interface Offence<State, Input, Output> {
  readonly initial: ReadonlyArray<State>
  /** How many operations are left out because they took effect before. */
  readonly earlier: number
  /** In the order of their calls. What was pending at the end, or may have taken effect before, is unknown. */
  readonly operations: ReadonlyArray<Operation<Input, Output>>
  /** Whether no shorter beginning of the history offends. False when it would have taken too long to tell. */
  readonly isShortest: boolean
  /** How far an explanation gets; absent when the model has no state to begin in. */
  readonly reached: Reached<State, Input, Output> | undefined
}

/** The longest order that explains all answers before that of `due`, the state that it leads to, and what it fails at. */
export interface Reached<State, Input, Output> {
  readonly order: ReadonlyArray<Operation<Input, Output>>
  readonly state: State
  readonly due: Operation<Input, Output> | undefined
}
