// A Provider of an installation of its own on the real engine, and what its contract needs to look at Runs there.

import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ImageReference } from "@lockkeeper/core/domain/Source"
import { Providers } from "@lockkeeper/core/port/Providers"
import type { ProviderFixture } from "@lockkeeper/core/testing/ProviderFixture"
import { Effect, Layer } from "effect"
import { docker } from "../../../../test/harness/engine.ts"
import { images } from "../../../../test/harness/images.ts"
import { commandLines } from "../../../../test/harness/processes.ts"
import { shellCommands } from "../../../../test/harness/providerCommands.ts"
import * as DockerProvider from "../../src/DockerProvider.ts"
import { InstallationId } from "../../src/InstallationId.ts"
import { removeAll, subnetPools } from "./engine.ts"

/**
 * Addresses that files which run at the same time do not share, each in a worker of its own: each has a pool of its own, which
 * gives the first one first.
 */
const ownRange = `10.232.${((process.ppid + Number(process.env["VITEST_POOL_ID"] ?? 0)) % 32) * 8}.0/21`

/** Providers of which only that of Docker is there. */
export const providersOf = (
  installation: string,
  settings: Readonly<Record<string, unknown>> = {},
  replica = ReplicaId.make("one")
) =>
  Layer.unwrap(
    Effect.map(DockerProvider.target({ installation: InstallationId.make(installation), replica }), (target) =>
      Providers.layer({
        targets: [target],
        settings: { docker: { range: ownRange, ...settings } },
        usual: target.target
      })
    )
  ).pipe(
    Layer.provide(subnetPools),
    Layer.merge(Layer.effectDiscard(Effect.addFinalizer(() => removeAll(installation))))
  )

/** All that the engine tells of the containers and networks of a Run. */
export const shownOf = (run: string) =>
  Effect.promise(async () => {
    const filters = { label: [`lockkeeper.run=${run}`] }
    const containers = await docker.listContainers({ all: true, filters })
    const seen = await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).inspect()))
    return JSON.stringify([containers, seen, await docker.listNetworks({ filters })])
  })

/** What the laws of Providers need, with an image that has a shell. */
export const fixtureOf = (image: string): ProviderFixture<never> => {
  const reference = ImageReference.make(image)
  return {
    image: (provider) => Effect.map(provider.resolve(reference), (digest) => ({ digest, reference })),
    command: shellCommands,
    runs: (mark) => Effect.sync(() => commandLines().some((line) => line.includes(mark))),
    shown: shownOf,
    removal: "docker.remove"
  }
}

/** The fixture with the smallest image. */
export const fixture = fixtureOf(images.busybox)
