// The sequential meaning of a status with compare-and-set, guarded by fences: who takes it over gets the next fence, and
// whoever holds an older one changes nothing any more.
import { Equal, Option, Schema } from "effect"
import type { HistoryCodec, SequentialModel } from "./SequentialModel.ts"

const Status = Schema.String
const Fence = Schema.Int

/** What is asked of a {@link statusRegister}. `from` are the statuses that a transition is allowed from. */
export const StatusInput = Schema.Union([
  Schema.Struct({ type: Schema.Literal("transition"), from: Schema.Array(Status), to: Status, fence: Fence }),
  Schema.Struct({ type: Schema.Literal("takeOver") }),
  Schema.Struct({ type: Schema.Literal("read") })
])

/** The type of {@link StatusInput}. */
export type StatusInput = typeof StatusInput.Type

/** What is answered. A transition is `moved` or `refused`; who takes over is told the new fence. */
export const StatusOutput = Schema.Union([
  Schema.Struct({ type: Schema.Literal("moved") }),
  Schema.Struct({ type: Schema.Literal("refused") }),
  Schema.Struct({ type: Schema.Literal("taken"), fence: Fence }),
  Schema.Struct({ type: Schema.Literal("read"), status: Status, fence: Fence })
])

/** The type of {@link StatusOutput}. */
export type StatusOutput = typeof StatusOutput.Type

/** A status and the newest fence that was taken. */
export interface StatusState {
  readonly status: string
  readonly fence: number
}

/**
 * A status, `queued` and with the fence 0 at first. A transition succeeds when the status is one of `from` and its fence is
 * the newest one; a fence that nobody was given yet is refused as an old one is.
 */
export const statusRegister: SequentialModel<StatusState, StatusInput, StatusOutput> &
  HistoryCodec<StatusInput, StatusOutput> = {
  input: StatusInput,
  output: StatusOutput,
  initial: [{ status: "queued", fence: 0 }],
  step: (state, input, output) => {
    const [next, answer] = run(state, input)
    return Option.isNone(output) || Equal.equals(output.value, answer) ? [next] : []
  },
  fingerprint: ({ status, fence }) => `${status}, fence ${fence}`,
  isReadOnly: (input, output) => input.type === "read" || (Option.isSome(output) && output.value.type === "refused"),
  isPast: ({ fence }, output) =>
    (output.type === "read" && output.fence < fence) || (output.type === "taken" && output.fence <= fence),
  describe: (input, output) =>
    `${describeInput(input)} -> ${Option.match(output, { onNone: () => "?", onSome: describeOutput })}`
}

const run = (state: StatusState, input: StatusInput): readonly [StatusState, StatusOutput] => {
  switch (input.type) {
    case "read":
      return [state, { type: "read", ...state }]
    case "takeOver":
      return [
        { ...state, fence: state.fence + 1 },
        { type: "taken", fence: state.fence + 1 }
      ]
    case "transition":
      return input.fence === state.fence && input.from.includes(state.status)
        ? [{ ...state, status: input.to }, { type: "moved" }]
        : [state, { type: "refused" }]
  }
}

const describeInput = (input: StatusInput): string =>
  input.type === "transition"
    ? `transition from ${input.from.join(" or ")} to ${input.to} with fence ${input.fence}`
    : input.type

const describeOutput = (output: StatusOutput): string => {
  switch (output.type) {
    case "taken":
      return `fence ${output.fence}`
    case "read":
      return `${output.status}, fence ${output.fence}`
    case "moved":
    case "refused":
      return output.type
  }
}
