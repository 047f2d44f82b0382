// A rule as a small machine of its own: what it remembers of a run, which answers it objects to, and what the stores must
// hold afterwards. All of it is pure, so that one run may be judged in several orders.

import type { Effect } from "effect"
import { inspect, isDeepStrictEqual } from "node:util"
import type { Known } from "./Known.ts"
import { emptyLedger, type Ledger, recorded } from "./Ledger.ts"
import type { ModelPorts, Seen } from "./Seen.ts"

/** What is read of the stores for a rule. */
type Look = (known: Known) => Effect.Effect<unknown, { readonly _tag: string }, ModelPorts>

/** What a rule is made of. `State` is what it remembers besides the ledger. */
export interface RuleParts<State> {
  readonly id: string
  readonly start: State
  /** Why an answer is wrong, or undefined. An answer is `alone` when no other call was under way meanwhile. */
  readonly objection: (ledger: Ledger, seen: Seen, state: State, alone: boolean) => string | undefined
  /** What it remembers after an answer; the ledger is that of before. */
  readonly after: (state: State, seen: Seen, ledger: Ledger) => State
  readonly look: Look
  /** What looking must find. */
  readonly expected: (ledger: Ledger, state: State) => unknown
  /** Why it is wrong that everything ends here, when all leases ran out and all work was taken and ended; or undefined. */
  readonly unsettled?: (ledger: Ledger, state: State) => string | undefined
  /** Whether it looks at the end of a run only. */
  readonly looksLate?: boolean
}

/** A rule in the course of a run. */
export interface Rule {
  readonly id: string
  readonly looksLate: boolean
  readonly look: Look
  /** The rule after an answer, or why the answer is wrong. */
  readonly next: (seen: Seen, alone: boolean) => Rule | string
  /** Why what was found by looking is wrong, or undefined. */
  readonly difference: (found: unknown) => string | undefined
  readonly unsettled: () => string | undefined
  /** Equal for two of the same rule that remember the same. */
  readonly memory: () => string
}

const shown = (value: unknown): string => inspect(value, { depth: 6, breakLength: 120 })

/** Entries of maps are sorted: a rule that needs an order remembers a list. */
const canonical = { depth: null, maxArrayLength: null, maxStringLength: null, sorted: true, compact: true }

/** A rule at the start of a run. */
export const makeRule = <State>(parts: RuleParts<State>): Rule => {
  const { id, look, looksLate = false } = parts
  const at = (ledger: Ledger, state: State): Rule => ({
    id,
    look,
    looksLate,
    next: (seen, alone) =>
      parts.objection(ledger, seen, state, alone) ?? at(recorded(ledger, seen), parts.after(state, seen, ledger)),
    difference: (found) => {
      const expected = parts.expected(ledger, state)
      return isDeepStrictEqual(found, expected) ? undefined : `there is ${shown(found)} instead of ${shown(expected)}`
    },
    unsettled: () => parts.unsettled?.(ledger, state),
    memory: () => inspect([ledger, state], canonical)
  })
  return at(emptyLedger, parts.start)
}
