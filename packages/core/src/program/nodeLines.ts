// What the nodes and steps of a Run say, as lines of the one log of the Run: each with its speaker's name before it.
import { Effect, Scope } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import type { RunPlace } from "./RunInHand.ts"

/**
 * Answers how a node (`app`) or a step (`app/load`) says lines, from now on until the Run is over. Secrets are taken out before a line gets its prefix: of
 * one that was cut, the parts would no longer be side by side then.
 */
export const nodeLines = Effect.fnUntraced(function* (
  { log, scope }: Pick<RunPlace, "log" | "scope">,
  speaker: string
): Effect.fn.Return<(entry: LogEntry) => Effect.Effect<void>> {
  const redacted = (yield* log.redactor).log()
  const said = ({ at, line, stream }: LogEntry) => log.say({ stream, at, line: `${speaker} | ${line}` })
  const sayAll = (entries: ReadonlyArray<LogEntry>) => Effect.forEach(entries, said, { discard: true })
  yield* Scope.addFinalizer(
    scope,
    Effect.suspend(() => sayAll(redacted.end()))
  )
  return (entry) => Effect.suspend(() => sayAll(redacted.push(entry)))
})
