// That the end-to-end suite runs on Docker is a matter of vitest.config.ts; this says so, and that it does not where it cannot.

import { expect, it } from "vitest"
import { describeWith } from "./harness/capability.ts"

describeWith("docker")("the end-to-end suite on Docker", () => {
  it("has an engine to run on", async () => {
    const { docker } = await import("./harness/engine.ts")
    expect(await docker.version()).toHaveProperty("ApiVersion")
  })
})
