// Runs each example as its reader would: as a program of its own, from the sources.
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const run = async (example: string): Promise<string> => {
  const file = fileURLToPath(new URL(example, import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@lockkeeper/source", file])
  return stdout
}

describe("examples", () => {
  it("deployInMemory.ts deploys and says where the app is reached", async () => {
    assert.match(await run("./deployInMemory.ts"), /^web is healthy as rel_\w+, reached at port \d+\n$/)
  })
})
