// Which Policy counts, and what it decides.

import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { choose, decide, Policy } from "../src/domain/Policy.ts"

describe("Policy.choose", () => {
  it("U8 takes the request's, else the App's, else reject", () => {
    for (const policy of Policy.literals) {
      for (const app of [...Policy.literals, null]) expect(choose(policy, app)).toBe(policy)
      expect(choose(undefined, policy)).toBe(policy)
    }
    expect(choose(undefined, null)).toBe("reject")
  })
})

describe("Policy.decide", () => {
  it.each(Policy.literals)("U8 begins under %s while nothing is active", (policy) => {
    expect(decide(policy, undefined)).toEqual({ decision: "begin" })
  })

  it.prop("U8 rejects in favour of the active Deployment and names it", [Schema.String], ([active]) => {
    expect(decide("reject", active)).toEqual({ decision: "reject", active })
  })
})
