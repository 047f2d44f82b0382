// Every rule of scripts/checks reports a planted violation, and accepts what it means to allow.

import { describe, expect, it } from "vitest"
import { checkCharacters } from "../../scripts/checks/characters.ts"
import { checkComments } from "../../scripts/checks/comments.ts"
import { checkDocumented } from "../../scripts/checks/documented.ts"
import { checkImports } from "../../scripts/checks/imports.ts"
import { checkMerges } from "../../scripts/checks/merges.ts"
import { checkStability } from "../../scripts/checks/stability.ts"
import { checkSyntax } from "../../scripts/checks/syntax.ts"

const domain = "packages/core/src/domain/Planted.ts"
const importing = (path: string, specifier: string) =>
  checkImports({ path, text: `import { a } from "${specifier}"\n` })

describe("imports", () => {
  it.each([
    [domain, "../port/AppStore.ts"],
    [domain, "node:fs"],
    [domain, "@lockkeeper/core/port/AppStore"],
    ["packages/core/src/port/Planted.ts", "../program/deploy.ts"],
    ["packages/core/src/program/Planted.ts", "../testing/AppStoreContract.ts"],
    ["packages/core/src/testing/Planted.ts", "vitest"],
    ["packages/adapter-http/src/Planted.ts", "@lockkeeper/adapter-postgres/PostgresAppStore"],
    ["packages/adapter-postgres/src/Planted.ts", "@lockkeeper/core/program/deploy"],
    ["packages/adapter-postgres/src/Planted.ts", "../../../test/harness/capability.ts"],
    ["packages/adapter-postgres/src/Planted.ts", "../../adapter-process/src/Thing.ts"],
    ["packages/unheard-of/src/Planted.ts", "effect"],
    ["test/planted.test.ts", "effect/unstable/http"],
    ["examples/planted.ts", "@effect/platform-node"],
    ["test/planted.test.ts", "./harness/capability"]
  ])("reports %s importing %s", (path, specifier) => {
    expect(importing(path, specifier)).toHaveLength(1)
  })

  it.each([
    [domain, "./Env.ts"],
    [domain, "effect"],
    ["packages/core/src/program/deploy.ts", "../port/AppStore.ts"],
    ["packages/adapter-http/src/handlers/Apps.ts", "../api/Apps.ts"],
    ["packages/adapter-http/src/Server.ts", "@lockkeeper/core/program/deploy"],
    ["packages/adapter-postgres/src/PostgresAppStore.ts", "node:fs"],
    ["examples/server.ts", "@lockkeeper/adapter-postgres/PostgresAppStore"],
    ["examples/server.ts", "@effect/platform-node/NodeServices"]
  ])("lets %s import %s", (path, specifier) => {
    expect(importing(path, specifier)).toEqual([])
  })

  it("sees dynamic imports, re-exports and imported types", () => {
    const text = 'import("node:fs")\nexport { a } from "node:path"\ntype T = import("node:os").A\n'
    expect(checkImports({ path: domain, text }).map(({ line }) => line)).toEqual([1, 2, 3])
  })
})

describe("syntax", () => {
  it.each([
    [domain, "try { a() } finally { b() }"],
    [domain, "throw new Error()"],
    [domain, "export const f = async () => 1"],
    [domain, "export const now = new Date()"],
    [domain, 'export * from "./Env.ts"'],
    ["scripts/planted.ts", "enum E { A }"],
    ["test/planted.test.ts", 'it.only("a", () => {})'],
    ["test/planted.test.ts", 'it.effect.skip("a", () => {})'],
    ["test/planted.test.ts", 'describe.skip("a", () => {})']
  ])("reports in %s: %s", (path, text) => {
    expect(checkSyntax({ path, text })).toHaveLength(1)
  })

  it("accepts groups of tests that depend on the machine", () => {
    expect(checkSyntax({ path: "test/a.test.ts", text: 'describe.skipIf(true)("a", () => {})' })).toEqual([])
  })
})

describe("comments", () => {
  it.each([
    `// ${"TO"}DO later`,
    "// const a = 1",
    "// store.get(id)",
    '// import { a } from "b"',
    "// return yield* store.get(id)",
    "/* if (a) {\n */",
    "const a = 1 // a = 2;"
  ])("reports %s", (text) => {
    expect(checkComments({ path: domain, text })).toHaveLength(1)
  })

  it("accepts prose, examples in JSDoc and text in strings", () => {
    const text = `// Returns what it was given (see above).\n/** const a = f(1) */\nconst b = "// ${"TO"}DO"\n`
    expect(checkComments({ path: domain, text })).toEqual([])
  })
})

describe("documentation", () => {
  it.each(["export const a = 1", "export class A {}", "export type A = 1", "/** */\nexport interface A {}"])(
    "misses JSDoc on %s",
    (text) => {
      expect(checkDocumented({ path: domain, text })).toHaveLength(1)
    }
  )

  it("asks once for a name, and not for internal files", () => {
    expect(
      checkDocumented({ path: domain, text: "/** A. */\nexport const A = 1\nexport type A = typeof A\n" })
    ).toEqual([])
    expect(checkDocumented({ path: "packages/core/src/internal/a.ts", text: "export const a = 1" })).toEqual([])
  })
})

describe("characters", () => {
  it.each([0x202e, 0x2066, 0x200b, 0xfeff, 0x00, 0x1b, 0x0d, 0xad, 0xe0041])("reports code point %i", (code) => {
    expect(checkCharacters({ path: "README.md", text: `one\ntwo${String.fromCodePoint(code)}` })).toMatchObject([
      { line: 2 }
    ])
  })

  it("accepts letters of any script", () => {
    expect(checkCharacters({ path: "README.md", text: "\tÄ → 漢字 שלום\n" })).toEqual([])
  })
})

describe("merges", () => {
  it.each([
    ["<".repeat(7), " HEAD"],
    [">".repeat(7), " a commit"],
    ["> ".repeat(6), "> a commit"]
  ])("reports %s", (mark, rest) => {
    expect(checkMerges({ path: "README.md", text: `one\n${mark}${rest}\n` })).toMatchObject([{ line: 2 }])
  })

  it("accepts quotations", () => {
    expect(checkMerges({ path: "README.md", text: "> one\n> > two\n" })).toEqual([])
  })
})

describe("stability", () => {
  it("reports unstable modules and unstable exports, named or through a namespace", () => {
    const text = [
      'import { Arbitrary, Effect } from "effect"',
      'import * as Http from "effect/http/HttpClient"',
      "export const a = Arbitrary.sample",
      "export const b = Effect.succeed(Http.get)",
      ""
    ].join("\n")
    const violations = checkStability([{ path: domain, text }])
    expect([...new Set(violations.map(({ line }) => line))]).toEqual([1, 2, 3, 4])
    expect(violations.map(({ message }) => message).filter((message) => message.startsWith("Effect "))).toEqual([])
  })

  it("accepts what is stable", () => {
    const text =
      'import { Effect, Layer, Schema } from "effect"\nexport const a = [Effect.succeed, Layer.effect, Schema.String]\n'
    expect(checkStability([{ path: domain, text }])).toEqual([])
  })
})
