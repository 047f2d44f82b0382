// A missing capability skips tests, or fails them where it is required.

import { describe, expect, it } from "vitest"
import { capability, describeWith, isRequired, programPath } from "./capability.ts"

describe("capabilities", () => {
  it.each(["all", "git", "sshd, git"])("git is required by %j", (required) => {
    expect(isRequired("git", required)).toBe(true)
  })

  it.each(["", "sshd", "digit"])("git is not required by %j", (required) => {
    expect(isRequired("git", required)).toBe(false)
  })

  it("finds programs and misses what is not installed", () => {
    expect(programPath("sh")).toMatch(/\/sh$/)
    expect(programPath("no-such-program")).toBeUndefined()
  })
})

describeWith("git")("with git", () => {
  it("runs where git answers", () => {
    expect(capability("git")).toBe(true)
  })
})
