// The memory layers keep every contract. Each law runs on a state of its own, with live services, since some wait.

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { contracts } from "./support/contracts.ts"
import { layerMemory } from "./support/layerMemory.ts"

for (const [port, contract] of Object.entries(contracts)) {
  describe(`the memory layer of ${port}`, () => {
    it.live.each(contract.map(({ id, law, run }) => ({ id, law, run })))("$id $law", ({ run }) =>
      Effect.provide(run, Layer.fresh(layerMemory))
    )
  })
}

describe("the contracts", () => {
  it("X18 are there for every port", () => {
    const directory = new URL("../src/port/", import.meta.url)
    const texts = readdirSync(directory).map((name) => readFileSync(new URL(name, directory), "utf8"))
    const ports = texts.flatMap((text) =>
      [...text.matchAll(/class (\w+) extends Context\.Service/g)].map(([, name]) => name)
    )
    const { AppLife: _, AppStatus: __, ...ofPorts } = contracts
    assert.deepStrictEqual(ports.filter((name) => name !== "MemoryState").sort(), Object.keys(ofPorts).sort())
  })
})
