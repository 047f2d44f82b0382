// The contracts that the stores keep on any PostgreSQL, by the name of their port.

import { makeAppLifeContract } from "@lockkeeper/core/testing/AppLifeContract"
import { makeAppStatusContract } from "@lockkeeper/core/testing/AppStatusContract"
import { AppStoreContract } from "@lockkeeper/core/testing/AppStoreContract"
import { CheckpointStoreContract } from "@lockkeeper/core/testing/CheckpointStoreContract"
import type { Contract } from "@lockkeeper/core/testing/Contract"
import { DeploymentStoreContract } from "@lockkeeper/core/testing/DeploymentStoreContract"
import { EnvStoreContract } from "@lockkeeper/core/testing/EnvStoreContract"
import { EventFeedContract } from "@lockkeeper/core/testing/EventFeedContract"
import { IdempotencyStoreContract } from "@lockkeeper/core/testing/IdempotencyStoreContract"
import { JobStoreContract } from "@lockkeeper/core/testing/JobStoreContract"
import { JournalContract } from "@lockkeeper/core/testing/JournalContract"
import { LeasesContract } from "@lockkeeper/core/testing/LeasesContract"
import { LogStoreContract } from "@lockkeeper/core/testing/LogStoreContract"
import { RetentionStoreContract } from "@lockkeeper/core/testing/RetentionStoreContract"
import { RouteStoreContract } from "@lockkeeper/core/testing/RouteStoreContract"
import { RunStoreContract } from "@lockkeeper/core/testing/RunStoreContract"
import { makeSealedSecretsContract } from "@lockkeeper/core/testing/SealedSecretsContract"
import { SubnetPoolContract } from "@lockkeeper/core/testing/SubnetPoolContract"
import { SubscriptionsContract } from "@lockkeeper/core/testing/SubscriptionsContract"
import type { Layer } from "effect"
import { keptSecrets, secretsOf } from "./keptSecrets.ts"
import { putStatus, type stores } from "./stores.ts"

type Ports = Layer.Success<ReturnType<typeof stores>>

const contracts: Readonly<Record<string, Contract<Ports>>> = {
  AppStore: AppStoreContract,
  AppLife: makeAppLifeContract(putStatus, secretsOf),
  AppStatus: makeAppStatusContract(putStatus),
  CheckpointStore: CheckpointStoreContract,
  DeploymentStore: DeploymentStoreContract,
  EnvStore: EnvStoreContract,
  EventFeed: EventFeedContract,
  IdempotencyStore: IdempotencyStoreContract,
  JobStore: JobStoreContract,
  Journal: JournalContract,
  Leases: LeasesContract,
  LogStore: LogStoreContract,
  RetentionStore: RetentionStoreContract,
  RouteStore: RouteStoreContract,
  RunStore: RunStoreContract,
  SealedSecrets: makeSealedSecretsContract(keptSecrets),
  SubnetPool: SubnetPoolContract,
  Subscriptions: SubscriptionsContract
}

/** All laws of all stores. They may run on one database, one after the other, in real time. */
export const storeLaws = Object.entries(contracts).flatMap(([port, contract]) =>
  contract.map(({ id, law, run }) => ({ port, id, law, run }))
)
