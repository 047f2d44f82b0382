// The contracts can fail: each adapter here is broken in one way, exactly the laws about that notice, and every law does.

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { brokenAdmissions } from "./broken/brokenAdmissions.ts"
import { brokenAppLives } from "./broken/brokenAppLives.ts"
import { brokenAppStatuses } from "./broken/brokenAppStatuses.ts"
import { brokenAppStores } from "./broken/brokenAppStores.ts"
import { brokenBegins } from "./broken/brokenBegins.ts"
import { brokenCheckpointStores } from "./broken/brokenCheckpointStores.ts"
import { brokenContainerRuntimes } from "./broken/brokenContainerRuntimes.ts"
import { brokenDeploymentLeases } from "./broken/brokenDeploymentLeases.ts"
import { brokenEndings } from "./broken/brokenEndings.ts"
import { brokenEnvStores } from "./broken/brokenEnvStores.ts"
import { brokenEventFeeds } from "./broken/brokenEventFeeds.ts"
import { brokenHealthProbes } from "./broken/brokenHealthProbes.ts"
import { brokenHints } from "./broken/brokenHints.ts"
import { brokenIdempotencyStores } from "./broken/brokenIdempotencyStores.ts"
import { brokenImages } from "./broken/brokenImages.ts"
import { brokenJobAdmissions } from "./broken/brokenJobAdmissions.ts"
import { brokenJobStores } from "./broken/brokenJobStores.ts"
import { brokenJournals } from "./broken/brokenJournals.ts"
import { brokenLeases } from "./broken/brokenLeases.ts"
import { brokenLogStores } from "./broken/brokenLogStores.ts"
import { brokenProviders } from "./broken/brokenProviders.ts"
import { brokenRetentionStores } from "./broken/brokenRetentionStores.ts"
import { brokenRouters, brokenRouteStores } from "./broken/brokenRouters.ts"
import { brokenRunEnds } from "./broken/brokenRunEnds.ts"
import { brokenRunStores } from "./broken/brokenRunStores.ts"
import { brokenSealedSecrets } from "./broken/brokenSealedSecrets.ts"
import { brokenSecretCiphers } from "./broken/brokenSecretCiphers.ts"
import { brokenReleases } from "./broken/brokenReleases.ts"
import { brokenStandings } from "./broken/brokenStandings.ts"
import { brokenStops } from "./broken/brokenStops.ts"
import { brokenSourceFetchers } from "./broken/brokenSourceFetchers.ts"
import { brokenSubnetPools } from "./broken/brokenSubnetPools.ts"
import { brokenSubscribers } from "./broken/brokenSubscribers.ts"
import { brokenSubscriptions } from "./broken/brokenSubscriptions.ts"
import { type Broken, expected, nameOf, unguarded, unspecific } from "./broken/Broken.ts"
import { contracts } from "./support/contracts.ts"
import { inNoTime } from "./support/inNoTime.ts"

const all: ReadonlyArray<Broken> = [
  ...brokenAdmissions,
  ...brokenAppLives,
  ...brokenAppStatuses,
  ...brokenAppStores,
  ...brokenImages,
  ...brokenBegins,
  ...brokenCheckpointStores,
  ...brokenContainerRuntimes,
  ...brokenDeploymentLeases,
  ...brokenEndings,
  ...brokenStops,
  ...brokenStandings,
  ...brokenReleases,
  ...brokenEnvStores,
  ...brokenEventFeeds,
  ...brokenHealthProbes,
  ...brokenHints,
  ...brokenIdempotencyStores,
  ...brokenJobAdmissions,
  ...brokenJobStores,
  ...brokenJournals,
  ...brokenLeases,
  ...brokenLogStores,
  ...brokenProviders,
  ...brokenRetentionStores,
  ...brokenRouters,
  ...brokenRouteStores,
  ...brokenRunEnds,
  ...brokenRunStores,
  ...brokenSealedSecrets,
  ...brokenSecretCiphers,
  ...brokenSourceFetchers,
  ...brokenSubnetPools,
  ...brokenSubscribers,
  ...brokenSubscriptions
]

/** The laws of its contract that an adapter violates, each on a state and a clock of its own. */
const violatedBy = ({ contract, layer }: Broken) =>
  Effect.map(
    Effect.forEach(
      contracts[contract],
      ({ run }) =>
        Effect.match(inNoTime(run, layer), {
          onSuccess: () => [],
          onFailure: (violation) => [nameOf(violation)]
        }),
      { concurrency: "unbounded" }
    ),
    (violated) => violated.flat()
  )

describe("a contract notices", () => {
  it.live.each(all)("X18 $what", (broken) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* violatedBy(broken), expected(broken))
    })
  )
})

describe("every law", () => {
  it("X18 is violated by an adapter that is broken in what the law is about", () => {
    assert.deepStrictEqual(unguarded(contracts, all), [])
  })

  it("X18 has a name of its own in its contract", () => {
    for (const contract of Object.values(contracts)) {
      const names = contract.map(nameOf)
      assert.deepStrictEqual([...new Set(names)], names)
    }
  })

  it("X18 is missed as soon as its broken adapter is", () => {
    const others = all.filter(({ violates }) => !violates.includes("K3"))
    assert.deepStrictEqual(unguarded(contracts, others), [
      "DeploymentStore: INV-3 a Tenant at its cap does not hold up another Tenant",
      "DeploymentStore: K3 every end of a Deployment frees its Slot exactly once, and the next in the queue gets it"
    ])
    assert.lengthOf(unguarded(contracts, []), Object.values(contracts).flat().length)
  })
})

describe("a broken adapter", () => {
  it("X18 is broken in one thing: it keeps more than half of its contract", () => {
    assert.deepStrictEqual(unspecific(all), [])
  })

  it("X18 that breaks everything is found", () => {
    const names = contracts.Leases.map(nameOf)
    const [first = "", ...others] = names
    const total = { what: "Leases that are away", contract: "Leases" as const, violates: [first, ...others] as const }
    assert.deepStrictEqual(unspecific([total]), ["Leases that are away"])
  })

  it("X18 names laws that there are, and each so that it is one", () => {
    assert.throws(() => expected({ contract: "Leases", violates: ["INV-99"] }), /"INV-99" names no law of Leases/)
    assert.throws(() => expected({ contract: "Leases", violates: ["INV-13"] }), /"INV-13" names several laws of Leases/)
  })
})
