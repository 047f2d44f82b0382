// A bundled program is the program of the sources: it finds what lies beside them, and names their places.

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { inSources, startOf } from "./programs.ts"
import { launch } from "./server.ts"

const program = "test/harness/failpointServer.ts"

/** What it says about settings that cannot work. */
const said = (from: "bundle" | "sources") =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* launch({ LOCKKEEPER_RUNTIME: "podman" }, [program], from)
      assert.deepStrictEqual(yield* server.exited, { code: 1, signal: null })
      return server.output()
    })
  )

describe.skipIf(process.env["LOCKKEEPER_TEST_PROGRAMS"] === "")("programs", () => {
  it.live("says the same from the bundle and from the sources", () =>
    Effect.gen(function* () {
      const [bundled, plain] = [yield* said("bundle"), yield* said("sources")]
      assert.include(plain, "LOCKKEEPER_RUNTIME")
      assert.strictEqual(bundled, plain)
    })
  )

  it("is bundled once in a run, and started without its sources", async () => {
    const [first, second] = await Promise.all([startOf(program), startOf(program)])
    assert.deepStrictEqual(first, second)
    const [file = ""] = first.args
    assert.match(file, /failpointServer\.mjs$/)
    assert.isTrue(existsSync(file))
  })

  it("names places as they are in the sources", async () => {
    const [file = ""] = (await startOf(program)).args
    const lineIn = (path: string): number =>
      readFileSync(path, "utf8")
        .split("\n")
        .findIndex((line) => line.startsWith("runServer(")) + 1
    const elsewhere = "at file:///somewhere/else.mjs:1:1"
    assert.strictEqual(
      inSources(`at file://${file}:${lineIn(file)}:1\n${elsewhere}`),
      `at ${resolve(program)}:${lineIn(program)}:1\n${elsewhere}`
    )
  })
})
