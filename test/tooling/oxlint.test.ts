// Every rule that the configuration of oxlint adds reports a planted violation.

import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { describe, expect, it } from "vitest"

const domain = "packages/core/src/domain/Planted.ts"

describe("oxlint", () => {
  const lint = (path: string, text: string): string => {
    const folder = mkdtempSync(join(tmpdir(), "lockkeeper-lint-"))
    copyFileSync(".oxlintrc.json", join(folder, ".oxlintrc.json"))
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), text)
    const { stdout } = spawnSync(resolve("node_modules/.bin/oxlint"), ["-f", "unix"], { cwd: folder, encoding: "utf8" })
    rmSync(folder, { recursive: true })
    return stdout
  }

  it.each([
    ["no-explicit-any", "export const f = (a: any) => a"],
    ["no-non-null-assertion", "export const f = (a: string | null) => a!"],
    ["consistent-type-assertions", "export const f = (a: unknown) => a as string"],
    ["consistent-type-assertions", "export const f = (a: unknown) => <string>a"],
    ["no-default-export", "export default 1"],
    ["no-console", "console.log(1)"],
    ["no-restricted-globals", "export const a = process.env"],
    ["no-restricted-globals", "setTimeout(() => {}, 1)"],
    ["no-restricted-properties", "export const a = Date.now()"],
    ["no-restricted-properties", "export const a = Math.random()"],
    ["max-lines", "export const a = 1\n".concat("//\n".repeat(300))]
  ])("%s reports a planted violation", (rule, text) => {
    expect(lint(domain, text)).toContain(rule)
  })

  it("accepts `as const`, and default exports of config files", () => {
    expect(lint(domain, "export const a = { b: 1 } as const\n")).not.toContain("error")
    expect(lint("planted.config.ts", "export default 1\n")).not.toContain("no-default-export")
  })
})
