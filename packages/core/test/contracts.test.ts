// The memory layers keep every contract. Each law runs on a state and a clock of its own, so that those that wait take no time.

import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { contracts } from "./support/contracts.ts"
import { inNoTime } from "./support/inNoTime.ts"
import { layerMemory } from "./support/layerMemory.ts"

for (const [port, contract] of Object.entries(contracts)) {
  describe(`the memory layer of ${port}`, () => {
    it.live.each(contract.map(({ id, law, run }) => ({ id, law, run })))("$id $law", ({ run }) =>
      inNoTime(run, layerMemory)
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
