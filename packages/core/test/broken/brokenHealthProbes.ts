// HealthProbes that make the mistakes their contract exists for.

import { Effect, Schedule } from "effect"
import { HealthProbe, Unhealthy } from "../../src/port/HealthProbe.ts"
import { probeCanary } from "../../src/testing/HealthProbeContract.ts"
import { altered, type Broken } from "./Broken.ts"

/** Broken HealthProbes. */
export const brokenHealthProbes: ReadonlyArray<Broken> = [
  {
    what: "a HealthProbe that needs a path",
    contract: "HealthProbe",
    violates: ["INV-8 what serves"],
    layer: altered(HealthProbe, (original) => ({
      probe: (address, check) =>
        check.path === undefined
          ? Effect.fail(new Unhealthy({ detail: "there is no path" }))
          : original.probe(address, check)
    }))
  },
  {
    what: "a HealthProbe that is content with any answer",
    contract: "HealthProbe",
    violates: ["INV-8 what answers", "INV-11"],
    layer: altered(HealthProbe, (original) => ({
      probe: (address, check) =>
        Effect.catchIf(
          original.probe(address, check),
          ({ detail }) => detail.includes("answered"),
          () => Effect.void
        )
    }))
  },
  {
    what: "a HealthProbe that takes everything for healthy that has no path",
    contract: "HealthProbe",
    violates: ["INV-8 where nothing listens"],
    layer: altered(HealthProbe, (original) => ({
      probe: (address, check) => (check.path === undefined ? Effect.void : original.probe(address, check))
    }))
  },
  {
    what: "a HealthProbe that tries again by itself",
    contract: "HealthProbe",
    violates: ["HealthProbe-1", "H8"],
    layer: altered(HealthProbe, (original) => ({
      probe: (address, check) =>
        Effect.retry(original.probe(address, check), { schedule: Schedule.spaced("100 millis"), times: 12 })
    }))
  },
  {
    what: "a HealthProbe that waits for an answer for as long as it takes",
    contract: "HealthProbe",
    violates: ["H8"],
    layer: altered(HealthProbe, (original, { ailments }) => ({
      probe: (address, check) =>
        [...ailments.values()].includes("silence") ? Effect.never : original.probe(address, check)
    }))
  },
  {
    what: "a HealthProbe that cannot be interrupted",
    contract: "HealthProbe",
    violates: ["H24"],
    layer: altered(HealthProbe, (original) => ({
      probe: (address, check) => Effect.uninterruptible(original.probe(address, check))
    }))
  },
  {
    what: "a HealthProbe that quotes the body",
    contract: "HealthProbe",
    violates: ["INV-11"],
    layer: altered(HealthProbe, (original) => ({
      probe: (address, check) =>
        Effect.mapError(
          original.probe(address, check),
          ({ detail }) => new Unhealthy({ detail: `${detail}: ${probeCanary}` })
        )
    }))
  }
]
