// The lock is completed without losing what it says.

import { describe, expect, it } from "vitest"
import { completeLock } from "../../scripts/fix-lock.ts"

describe("the lock", () => {
  const parent = { version: "1.0.0", dev: true, optionalDependencies: { "@x/linux-x64-musl": "1.0.0" } }

  it("gains the binaries of other platforms and keeps no address", () => {
    const fixed = completeLock({ "node_modules/x": { ...parent, resolved: "https://registry.example/x.tgz" } })
    expect(fixed).toEqual({
      "node_modules/@x/linux-x64-musl": {
        version: "1.0.0",
        dev: true,
        optional: true,
        cpu: ["x64"],
        libc: ["musl"],
        os: ["linux"]
      },
      "node_modules/x": parent
    })
  })

  it("keeps what is there, and nests another version below its parent", () => {
    const other = { version: "2.0.0" }
    const fixed = completeLock({ "node_modules/@x/linux-x64-musl": other, "node_modules/x": parent })
    expect(fixed["node_modules/@x/linux-x64-musl"]).toEqual(other)
    expect(fixed["node_modules/x/node_modules/@x/linux-x64-musl"]).toMatchObject({ version: "1.0.0" })
  })
})
