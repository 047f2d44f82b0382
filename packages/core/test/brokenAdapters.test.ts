// The contracts can fail: each adapter here is broken in one way, and exactly the laws about that notice.

import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { brokenPorts } from "./support/brokenPorts.ts"
import { brokenRuntimes } from "./support/brokenRuntimes.ts"
import { brokenStores } from "./support/brokenStores.ts"

describe("a contract notices", () => {
  it.live.each([...brokenStores, ...brokenPorts, ...brokenRuntimes])("X18 $what", ({ contract, violates, layer }) =>
    Effect.gen(function* () {
      const violations = yield* Effect.forEach(
        contract,
        ({ run }) =>
          Effect.match(Effect.provide(run, Layer.fresh(layer)), {
            onSuccess: () => [],
            onFailure: (violation) => [violation]
          }),
        { concurrency: "unbounded" }
      )
      expect(violations.flat().map((violation) => violation.law)).toEqual(violates)
    })
  )
})
