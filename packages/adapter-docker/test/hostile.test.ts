// Trees that tenants write to reach beyond them: what is left out, and what is never read on this host.

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { buildContext } from "../src/internal/buildContext.ts"
import { ignoredBy } from "../src/internal/dockerignore.ts"
import { treeOf } from "./support/engine.ts"

describe(".dockerignore", () => {
  it.each<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]>([
    ["node_modules", ["node_modules", "node_modules/a/b"], ["src/node_modules", "node_modules2"]],
    ["/dist/", ["dist/x"], ["a/dist"]],
    ["**/*.log", ["a.log", "b/c.log", "b/d/e.log"], ["a.log2", "log"]],
    ["*/temp*", ["a/temp", "a/temp1/x"], ["temp", "a/b/temp"]],
    ["temp?", ["temp1"], ["temp", "temp12"]],
    ["a/**/z", ["a/z", "a/b/z", "a/b/c/z/y"], ["a/b", "b/a/z"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "-x"]],
    ["[^a]x", ["bx"], ["ax"]],
    ["a\\*", ["a*"], ["ab"]],
    ["*\n!keep\n", ["other"], ["keep", "keep/x"]],
    ["secret\n!secret/kept\nsecret/kept/not", ["secret/a", "secret/kept/not"], ["secret/kept"]],
    ["# all\n\n README \n", ["README"], ["readme", "all"]],
    ["**", ["a", "a/b"], []],
    ["..\n../x\n[\n[z-a]x\n*[", ["["], ["x", "a", "zx"]]
  ])("%j leaves out %j and keeps %j", (patterns, ignored, kept) => {
    const isIgnored = ignoredBy(patterns)
    for (const path of ignored) assert.isTrue(isIgnored(path), path)
    for (const path of kept) assert.isFalse(isIgnored(path), path)
  })

  it("takes no time that a tenant could make long", () => {
    const isIgnored = ignoredBy(`${"*a".repeat(200)}b\n${"**/".repeat(100)}x\n`)
    const begun = performance.now()
    assert.isFalse(isIgnored(Array.from({ length: 50 }, () => "a".repeat(250)).join("/")))
    assert.isBelow(performance.now() - begun, 2_000)
  })
})

describe("a build file", () => {
  const refused = (directory: string) =>
    Effect.map(Effect.flip(Effect.scoped(buildContext(directory, ["label", "x"]))), ({ detail, reason }) => [
      reason,
      detail
    ])

  it.live("that is a link, a device or too long is not read", () =>
    Effect.gen(function* () {
      const outside = yield* temporaryDirectory
      Fs.writeFileSync(Path.join(outside, "host"), "FROM secret\n")
      const places = [Path.join(outside, "host"), "/dev/zero", "/dev/ptmx", outside]
      for (const name of ["Dockerfile", ".dockerignore"]) {
        for (const place of places) {
          const { directory } = yield* treeOf(name === "Dockerfile" ? { a: "" } : { Dockerfile: "FROM scratch\n" })
          Fs.symlinkSync(place, Path.join(directory, name))
          const [reason, detail] = yield* refused(directory)
          assert.strictEqual(reason, "build_failed", `${name} to ${place}`)
          assert.include(detail, `${name} cannot be read`)
        }
        const { directory } = yield* treeOf({ Dockerfile: "FROM scratch\n", [name]: "# x\n".repeat(100_000) })
        assert.deepStrictEqual((yield* refused(directory))[0], "build_failed")
      }
    })
  )
})
