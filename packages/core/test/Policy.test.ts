// Which Policy counts, and what it decides.

import { describe, expect, it } from "@effect/vitest"
import { choose, decide, Policy } from "../src/domain/Policy.ts"

const manual = { kind: "manual" } as const
const webhook = { kind: "webhook" } as const

describe("Policy.choose", () => {
  it("U8 takes the request's, else the App's, else that of the Trigger: supersede for webhooks, reject for others", () => {
    for (const trigger of [manual, webhook]) {
      for (const policy of Policy.literals) {
        for (const app of [...Policy.literals, null]) expect(choose(policy, app, trigger)).toBe(policy)
        expect(choose(undefined, policy, trigger)).toBe(policy)
      }
    }
    expect(choose(undefined, null, manual)).toBe("reject")
    expect(choose(undefined, null, webhook)).toBe("supersede")
  })
})

describe("Policy.decide", () => {
  const begin = (displaced?: string, stopped?: string) => ({ decision: "begin", displaced, stopped })
  const reject = (active: string) => ({ decision: "reject", active })

  it.each([
    ["reject", undefined, undefined, begin()],
    ["reject", "w", undefined, reject("w")],
    ["reject", undefined, "p", reject("p")],
    ["reject", "w", "p", reject("p")],
    ["queue", undefined, undefined, begin()],
    ["queue", "w", undefined, begin("w")],
    ["queue", undefined, "p", begin()],
    ["queue", "w", "p", begin("w")],
    ["supersede", undefined, undefined, begin()],
    ["supersede", "w", undefined, begin("w")],
    ["supersede", undefined, "p", begin(undefined, "p")],
    ["supersede", "w", "p", begin("w", "p")]
  ] as const)("U8 under %s with %s waiting and %s in progress", (policy, queued, inProgress, expected) => {
    expect(decide<string>(policy, { queued, inProgress })).toEqual(expected)
  })
})
