// What the nodes of a Run say becomes lines of one log, without secrets and to the end.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Scope } from "effect"
import { makeRedactor } from "../../src/domain/Redactor.ts"
import { NodeName } from "../../src/domain/Topology.ts"
import { nodeLines } from "../../src/program/nodeLines.ts"

describe("what a node says", () => {
  it.effect("H17: loses its secrets before it gets a name, and is said to its end", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const redactor = makeRedactor([Redacted.make("a-long-secret")])
      const log = {
        say: ({ line }: { readonly line: string }) => Effect.sync(() => void said.push(line)),
        flush: Effect.void,
        end: Effect.void,
        hide: () => Effect.void,
        redactor: Effect.succeed(redactor)
      }
      const scope = yield* Scope.make()
      const say = yield* nodeLines({ log, scope }, NodeName.make("db"))
      yield* say({ stream: "stdout", line: "it is a-long-", isCut: true })
      yield* say({ stream: "stdout", line: "secret!" })
      yield* say({ stream: "stdout", line: "and a-long-", isCut: true })
      yield* Scope.close(scope, Exit.void)
      const text = said.join("")
      expect(text).not.toContain("a-long-secret")
      expect(said.every((line) => line.startsWith("db | "))).toBe(true)
      expect(text).toContain("it is ")
      expect(text).toContain("and ")
    })
  )
})
