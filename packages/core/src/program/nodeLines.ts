// What the nodes of a Run say, as lines of the one log of the Run: each with its node's name before it.
import { Effect, Scope } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import type { NodeName } from "../domain/Topology.ts"
import type { RunPlace } from "./RunInHand.ts"

/**
 * Answers how a node says lines, from now on until the Run is over. Secrets are taken out before a line gets its prefix: of
 * one that was cut, the parts would no longer be side by side then.
 */
export const nodeLines = Effect.fnUntraced(function* (
  { log, scope }: Pick<RunPlace, "log" | "scope">,
  node: NodeName
): Effect.fn.Return<(entry: LogEntry) => Effect.Effect<void>> {
  const redacted = (yield* log.redactor).log()
  const said = ({ at, line, stream }: LogEntry) => log.say({ stream, at, line: `${node} | ${line}` })
  const sayAll = (entries: ReadonlyArray<LogEntry>) => Effect.forEach(entries, said, { discard: true })
  yield* Scope.addFinalizer(
    scope,
    Effect.suspend(() => sayAll(redacted.end()))
  )
  return (entry) => Effect.suspend(() => sayAll(redacted.push(entry)))
})
