// Which terms of a lease leave room for missed renewals.

import { describe, expect, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { areSoundTerms, defaultLeaseTerms } from "../src/domain/Lease.ts"

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))

const terms = (ttl: number, renewEvery: number) => ({
  ttl: Duration.millis(ttl),
  renewEvery: Duration.millis(renewEvery)
})

describe("areSoundTerms", () => {
  it.prop("H22 takes terms exactly when two renewals may be missed", [Millis, Millis], ([ttl, renewEvery]) => {
    expect(areSoundTerms(terms(ttl, renewEvery))).toBe(renewEvery > 0 && renewEvery * 3 <= ttl)
  })

  it.prop("H22 draws the line at a third", [Millis], ([renewEvery]) => {
    expect(areSoundTerms(terms(renewEvery * 3, renewEvery))).toBe(renewEvery > 0)
    expect(areSoundTerms(terms(renewEvery * 3 - 1, renewEvery))).toBe(false)
  })

  it("H22 refuses the terms of a lease that lives shorter than its renewals", () => {
    expect(areSoundTerms(terms(5_000, 60_000))).toBe(false)
  })

  it("H22 takes the default terms", () => {
    expect(areSoundTerms(defaultLeaseTerms)).toBe(true)
  })
})
