// All stores of Lockkeeper on one PostgreSQL, as one value. For a server that wants to answer before the schema is there,
// `layerClient`, `layerStores` and PostgresHealth can be put together apart.

import { PgClient } from "@effect/sql-pg"
import { AppStore, type PortRange } from "@lockkeeper/core/port/AppStore"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { EventFeed } from "@lockkeeper/core/port/EventFeed"
import { hinted } from "@lockkeeper/core/port/hinted"
import { Hints } from "@lockkeeper/core/port/Hints"
import { IdempotencyStore } from "@lockkeeper/core/port/IdempotencyStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Leases } from "@lockkeeper/core/port/Leases"
import { LogStore } from "@lockkeeper/core/port/LogStore"
import { RetentionStore } from "@lockkeeper/core/port/RetentionStore"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { SealedSecrets } from "@lockkeeper/core/port/SealedSecrets"
import type { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { Subscriptions } from "@lockkeeper/core/port/Subscriptions"
import { Effect, Layer, type Redacted } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { MigrationError } from "./MigrationError.ts"
import * as PostgresAppStore from "./PostgresAppStore.ts"
import * as PostgresCheckpointStore from "./PostgresCheckpointStore.ts"
import * as PostgresDeploymentStore from "./PostgresDeploymentStore.ts"
import * as PostgresEnvStore from "./PostgresEnvStore.ts"
import * as PostgresEventFeed from "./PostgresEventFeed.ts"
import * as PostgresHealth from "./PostgresHealth.ts"
import * as PostgresHints from "./PostgresHints.ts"
import * as PostgresIdempotencyStore from "./PostgresIdempotencyStore.ts"
import * as PostgresInstallation from "./PostgresInstallation.ts"
import * as PostgresJobStore from "./PostgresJobStore.ts"
import * as PostgresJournal from "./PostgresJournal.ts"
import * as PostgresLeases from "./PostgresLeases.ts"
import * as PostgresLogStore from "./PostgresLogStore.ts"
import * as PostgresMigrations from "./PostgresMigrations.ts"
import * as PostgresRetentionStore from "./PostgresRetentionStore.ts"
import * as PostgresRouteStore from "./PostgresRouteStore.ts"
import * as PostgresRunStore from "./PostgresRunStore.ts"
import * as PostgresSealedSecrets from "./PostgresSealedSecrets.ts"
import * as PostgresSubnetPool from "./PostgresSubnetPool.ts"
import * as PostgresSubscriptions from "./PostgresSubscriptions.ts"

/** Every port that this package binds. */
export type Stores =
  | AppStore
  | CheckpointStore
  | DeploymentStore
  | EnvStore
  | IdempotencyStore
  | JobStore
  | Journal
  | LogStore
  | EventFeed
  | Leases
  | RetentionStore
  | RouteStore
  | RunStore
  | SealedSecrets
  | SubnetPool
  | Subscriptions

/** How to reach the database. `prepare` names statements: only without a transaction pooler in between. */
export interface ClientOptions {
  readonly url: Redacted.Redacted<string>
  readonly prepare?: boolean | undefined
  readonly maxConnections?: number | undefined
}

/**
 * What the stores are told: the host ports of Apps, the size of a log in bytes, and who brings the schema. `apply` does it
 * here, `wait` builds nothing until somebody has, and with `elsewhere` the stores are there at once and fail until then.
 */
export interface StoresOptions {
  readonly ports?: PortRange | undefined
  readonly logLimitBytes?: number | undefined
  readonly migrate: "apply" | "wait" | "elsewhere"
}

/** A client with a pool of its own, safe behind a transaction pooler. It connects when it is first used. */
export const layerClient = (
  options: ClientOptions
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, SqlError.SqlError> =>
  PgClient.layer({
    url: options.url,
    prepare: options.prepare ?? false,
    maxConnections: options.maxConnections ?? 10,
    applicationName: "lockkeeper",
    connectTimeout: "5 seconds",
    keepAlive: "10 seconds"
  })

const layerMigrated = (migrate: StoresOptions["migrate"]): Layer.Layer<never, MigrationError, SqlClient.SqlClient> =>
  migrate === "elsewhere"
    ? Layer.empty
    : Layer.effectDiscard(migrate === "apply" ? PostgresMigrations.start() : PostgresMigrations.wait())

/**
 * All stores over a client, once the schema is there; `hinted` of core makes them give Hints. Each call makes layers of its own: those of two databases are never
 * taken for one another.
 */
export const layerStores = (
  options: StoresOptions
): Layer.Layer<Stores, MigrationError, SqlClient.SqlClient | SecretCipher> =>
  Layer.mergeAll(
    Layer.effect(AppStore, PostgresAppStore.make({ ports: options.ports })),
    Layer.effect(CheckpointStore, PostgresCheckpointStore.make),
    Layer.effect(DeploymentStore, PostgresDeploymentStore.make),
    Layer.effect(EnvStore, PostgresEnvStore.make),
    Layer.effect(EventFeed, PostgresEventFeed.make),
    Layer.effect(IdempotencyStore, PostgresIdempotencyStore.make),
    Layer.effect(JobStore, PostgresJobStore.make),
    Layer.effect(Journal, PostgresJournal.make),
    Layer.effect(Leases, PostgresLeases.make),
    Layer.effect(LogStore, PostgresLogStore.make({ limitBytes: options.logLimitBytes })),
    Layer.effect(RetentionStore, PostgresRetentionStore.make),
    Layer.effect(RouteStore, PostgresRouteStore.make),
    Layer.effect(RunStore, PostgresRunStore.make),
    Layer.effect(SealedSecrets, PostgresSealedSecrets.make),
    Layer.effect(SubnetPool, PostgresSubnetPool.make),
    Layer.effect(Subscriptions, PostgresSubscriptions.make)
  ).pipe(Layer.provide(layerMigrated(options.migrate)))

/** Where Hints of other replicas are heard: a URL of the server itself. Without it they are within this process. */
export interface HearingOptions {
  readonly directUrl?: Redacted.Redacted<string> | undefined
}

/** Stores that give Hints, and the Hints. */
const layerHinted = (options: StoresOptions & HearingOptions) => {
  const { directUrl } = options
  const hints = directUrl === undefined ? Hints.layerMemory : PostgresHints.layer({ directUrl })
  return Layer.effectContext(Effect.map(Layer.build(Layer.merge(layerStores(options), hints)), hinted))
}

/**
 * All stores, the check of their database and the id of its installation, over one pool, and the Hints that the stores give. Fails with a MigrationError when the schema cannot be brought
 * to what is expected; with `migrate: "wait"` it takes as long as somebody else needs to bring it.
 */
export const layer = (
  options: ClientOptions & StoresOptions & HearingOptions
): Layer.Layer<
  Stores | Hints | PostgresHealth.PostgresHealth | PostgresInstallation.PostgresInstallation,
  MigrationError | SqlError.SqlError,
  SecretCipher
> =>
  Layer.mergeAll(
    layerHinted(options),
    Layer.effect(PostgresHealth.PostgresHealth, PostgresHealth.make),
    Layer.effect(PostgresInstallation.PostgresInstallation, PostgresInstallation.make)
  ).pipe(Layer.provide(layerClient(options)))
