// The models can fail: each store here breaks one invariant, its model notices, shrinks what was asked to a few commands,
// and comes to the same failure again from its seed.

import { describe, expect, test } from "vitest"
import { failureOf, holds } from "../../../../test/harness/models/properties.ts"
import { brokenJobStores } from "./brokenJobStores.ts"
import { brokenStores } from "./brokenStores.ts"
import { memoryPorts } from "./memoryPorts.ts"

const aHandful = 24

describe("the models notice", { timeout: 120_000 }, () => {
  test.each([...brokenStores, ...brokenJobStores])("X18 $what", async ({ layer, model, width }) => {
    const property = holds(model, { ports: memoryPorts(layer), maxCommands: 40, width })
    const failure = await failureOf(property, 20_000)
    expect(failure?.asks.length).toBeGreaterThan(0)
    expect(failure?.asks.length).toBeLessThanOrEqual(aHandful)

    const again = await failureOf(property, 1, failure?.repetition)
    expect(again?.asks).toEqual(failure?.asks)
  })
})
