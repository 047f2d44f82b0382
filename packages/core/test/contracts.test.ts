// The memory layers keep every contract. Each law runs on a state of its own, with live services, since some wait.

import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { makeAppStatusContract } from "../src/testing/AppStatusContract.ts"
import { AppStoreContract } from "../src/testing/AppStoreContract.ts"
import { makeContainerRuntimeContract } from "../src/testing/ContainerRuntimeContract.ts"
import type { Contract } from "../src/testing/Contract.ts"
import { DeploymentStoreContract } from "../src/testing/DeploymentStoreContract.ts"
import { EnvStoreContract } from "../src/testing/EnvStoreContract.ts"
import { EventFeedContract } from "../src/testing/EventFeedContract.ts"
import { JournalContract } from "../src/testing/JournalContract.ts"
import { LeasesContract } from "../src/testing/LeasesContract.ts"
import { LogStoreContract } from "../src/testing/LogStoreContract.ts"
import { RouterContract } from "../src/testing/RouterContract.ts"
import { RouteStoreContract } from "../src/testing/RouteStoreContract.ts"
import { SecretCipherContract } from "../src/testing/SecretCipherContract.ts"
import { layerMemory, memoryTree, type MemoryPorts, putStatus } from "./support/layerMemory.ts"

const contracts: Readonly<Record<string, Contract<MemoryPorts>>> = {
  AppStore: AppStoreContract,
  AppStatus: makeAppStatusContract(putStatus),
  ContainerRuntime: makeContainerRuntimeContract(memoryTree),
  DeploymentStore: DeploymentStoreContract,
  EnvStore: EnvStoreContract,
  EventFeed: EventFeedContract,
  Journal: JournalContract,
  Leases: LeasesContract,
  LogStore: LogStoreContract,
  Router: RouterContract,
  RouteStore: RouteStoreContract,
  SecretCipher: SecretCipherContract
}

for (const [port, contract] of Object.entries(contracts)) {
  describe(`the memory layer of ${port}`, () => {
    it.live.each(contract.map(({ id, law, run }) => ({ id, law, run })))("$id $law", ({ run }) =>
      Effect.provide(run, Layer.fresh(layerMemory))
    )
  })
}
