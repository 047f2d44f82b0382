// The contracts that the stores keep on any PostgreSQL, by the name of their port.

import { makeAppStatusContract } from "@lockkeeper/core/testing/AppStatusContract"
import { AppStoreContract } from "@lockkeeper/core/testing/AppStoreContract"
import type { Contract } from "@lockkeeper/core/testing/Contract"
import { DeploymentStoreContract } from "@lockkeeper/core/testing/DeploymentStoreContract"
import { EnvStoreContract } from "@lockkeeper/core/testing/EnvStoreContract"
import { EventFeedContract } from "@lockkeeper/core/testing/EventFeedContract"
import { JournalContract } from "@lockkeeper/core/testing/JournalContract"
import { LeasesContract } from "@lockkeeper/core/testing/LeasesContract"
import { LogStoreContract } from "@lockkeeper/core/testing/LogStoreContract"
import { RouteStoreContract } from "@lockkeeper/core/testing/RouteStoreContract"
import type { Layer } from "effect"
import { putStatus, type stores } from "./stores.ts"

type Ports = Layer.Success<ReturnType<typeof stores>>

const contracts: Readonly<Record<string, Contract<Ports>>> = {
  AppStore: AppStoreContract,
  AppStatus: makeAppStatusContract(putStatus),
  DeploymentStore: DeploymentStoreContract,
  EnvStore: EnvStoreContract,
  EventFeed: EventFeedContract,
  Journal: JournalContract,
  Leases: LeasesContract,
  LogStore: LogStoreContract,
  RouteStore: RouteStoreContract
}

/** All laws of all stores. They may run on one database, one after the other, in real time. */
export const storeLaws = Object.entries(contracts).flatMap(([port, contract]) =>
  contract.map(({ id, law, run }) => ({ port, id, law, run }))
)
