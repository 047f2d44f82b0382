// The contract of every port, by the port's name, for the memory layers.

import { makeAppLifeContract } from "../../src/testing/AppLifeContract.ts"
import { makeAppStatusContract } from "../../src/testing/AppStatusContract.ts"
import { AppStoreContract } from "../../src/testing/AppStoreContract.ts"
import { CheckpointStoreContract } from "../../src/testing/CheckpointStoreContract.ts"
import { makeContainerRuntimeContract } from "../../src/testing/ContainerRuntimeContract.ts"
import type { Contract } from "../../src/testing/Contract.ts"
import { DeploymentStoreContract } from "../../src/testing/DeploymentStoreContract.ts"
import { EnvStoreContract } from "../../src/testing/EnvStoreContract.ts"
import { EventFeedContract } from "../../src/testing/EventFeedContract.ts"
import { makeHealthProbeContract } from "../../src/testing/HealthProbeContract.ts"
import { HintsContract } from "../../src/testing/HintsContract.ts"
import { IdempotencyStoreContract } from "../../src/testing/IdempotencyStoreContract.ts"
import { JobStoreContract } from "../../src/testing/JobStoreContract.ts"
import { JournalContract } from "../../src/testing/JournalContract.ts"
import { LeasesContract } from "../../src/testing/LeasesContract.ts"
import { LogStoreContract } from "../../src/testing/LogStoreContract.ts"
import { makeProviderContract } from "../../src/testing/ProviderContract.ts"
import { RetentionStoreContract } from "../../src/testing/RetentionStoreContract.ts"
import { RouterContract } from "../../src/testing/RouterContract.ts"
import { RouteStoreContract } from "../../src/testing/RouteStoreContract.ts"
import { RunStoreContract } from "../../src/testing/RunStoreContract.ts"
import { makeSealedSecretsContract } from "../../src/testing/SealedSecretsContract.ts"
import { SecretCipherContract } from "../../src/testing/SecretCipherContract.ts"
import { makeSourceFetcherContract } from "../../src/testing/SourceFetcherContract.ts"
import { SubnetPoolContract } from "../../src/testing/SubnetPoolContract.ts"
import { makeSubscriberContract } from "../../src/testing/SubscriberContract.ts"
import { SubscriptionsContract } from "../../src/testing/SubscriptionsContract.ts"
import { type MemoryPorts, putStatus, secretsOf } from "./layerMemory.ts"
import {
  memoryProbed,
  memoryProvided,
  memorySealed,
  memorySources,
  memorySubscriber,
  memoryTrees
} from "./memoryFixtures.ts"

/** The ports that have a contract of their own, and `AppLife` and `AppStatus`, which are about several. */
export type ContractName =
  | "AppLife"
  | "AppStatus"
  | "AppStore"
  | "CheckpointStore"
  | "ContainerRuntime"
  | "DeploymentStore"
  | "EnvStore"
  | "EventFeed"
  | "HealthProbe"
  | "Hints"
  | "IdempotencyStore"
  | "JobStore"
  | "Journal"
  | "Leases"
  | "LogStore"
  | "Providers"
  | "RetentionStore"
  | "Router"
  | "RouteStore"
  | "RunStore"
  | "SealedSecrets"
  | "SecretCipher"
  | "SourceFetcher"
  | "SubnetPool"
  | "Subscriber"
  | "Subscriptions"

/** Every contract. */
export const contracts: Readonly<Record<ContractName, Contract<MemoryPorts>>> = {
  AppLife: makeAppLifeContract(putStatus, secretsOf),
  AppStatus: makeAppStatusContract(putStatus),
  AppStore: AppStoreContract,
  CheckpointStore: CheckpointStoreContract,
  ContainerRuntime: makeContainerRuntimeContract(memoryTrees.tree, memoryTrees.deeper),
  DeploymentStore: DeploymentStoreContract,
  EnvStore: EnvStoreContract,
  EventFeed: EventFeedContract,
  HealthProbe: makeHealthProbeContract(memoryProbed),
  Hints: HintsContract,
  IdempotencyStore: IdempotencyStoreContract,
  JobStore: JobStoreContract,
  Journal: JournalContract,
  Leases: LeasesContract,
  LogStore: LogStoreContract,
  Providers: makeProviderContract(memoryProvided),
  RetentionStore: RetentionStoreContract,
  Router: RouterContract,
  RouteStore: RouteStoreContract,
  RunStore: RunStoreContract,
  SealedSecrets: makeSealedSecretsContract(memorySealed),
  SecretCipher: SecretCipherContract,
  SourceFetcher: makeSourceFetcherContract(memorySources),
  SubnetPool: SubnetPoolContract,
  Subscriber: makeSubscriberContract(memorySubscriber),
  Subscriptions: SubscriptionsContract
}
