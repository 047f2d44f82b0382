// The README shows code that runs: what stands between its fences is the region of the example that it names.
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const included = /<!-- (?<file>\S+)#(?<region>\w+) -->\n\n```ts\n(?<code>[\s\S]*?)```/g

const regionOf = (file: string, region: string): string | undefined =>
  new RegExp(`// #region ${region}\\n([\\s\\S]*?)// #endregion`).exec(readFileSync(`${root}${file}`, "utf8"))?.[1]

describe("README", () => {
  it("shows regions of the examples, word for word", () => {
    for (const readme of ["README.md", "packages/core/README.md"]) {
      const snippets = [...readFileSync(`${root}${readme}`, "utf8").matchAll(included)]
      assert.isNotEmpty(snippets)
      for (const { groups } of snippets) {
        assert.strictEqual(groups?.["code"], regionOf(groups?.["file"] ?? "", groups?.["region"] ?? ""))
      }
    }
  })
})
