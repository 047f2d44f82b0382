// All ports in memory over one state, which tests may look into.

import { Effect, Layer, Redacted } from "effect"
import type { AppId, AppStatus } from "../../src/domain/App.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { CheckpointStore } from "../../src/port/CheckpointStore.ts"
import { ContainerRuntime } from "../../src/port/ContainerRuntime.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { EnvStore } from "../../src/port/EnvStore.ts"
import { EventFeed } from "../../src/port/EventFeed.ts"
import { HealthProbe } from "../../src/port/HealthProbe.ts"
import { Hints } from "../../src/port/Hints.ts"
import { IdempotencyStore } from "../../src/port/IdempotencyStore.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { RetentionStore } from "../../src/port/RetentionStore.ts"
import { Journal } from "../../src/port/Journal.ts"
import { Leases } from "../../src/port/Leases.ts"
import { LogStore } from "../../src/port/LogStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Providers } from "../../src/port/Providers.ts"
import { Router } from "../../src/port/Router.ts"
import { RouteStore } from "../../src/port/RouteStore.ts"
import { RunStore } from "../../src/port/RunStore.ts"
import { SealedSecrets } from "../../src/port/SealedSecrets.ts"
import { SecretCipher } from "../../src/port/SecretCipher.ts"
import { SourceFetcher } from "../../src/port/SourceFetcher.ts"
import { SubnetPool } from "../../src/port/SubnetPool.ts"
import { Subscriber } from "../../src/port/Subscriber.ts"
import { Subscriptions } from "../../src/port/Subscriptions.ts"

const keyOf = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))

/** A SecretCipher that opens what {@link retiredCipher} sealed. */
const cipher = Layer.orDie(SecretCipher.layer(keyOf(2), { retired: [keyOf(1)] }))

/** A SecretCipher under the key that is retired in {@link layerMemory}. */
export const retiredCipher = Layer.orDie(SecretCipher.layer(keyOf(1)))

/** Every port, and the state behind them. */
export const layerMemory = Layer.mergeAll(
  AppStore.layerMemory,
  CheckpointStore.layerMemory,
  ContainerRuntime.layerMemory,
  DeploymentStore.layerMemory,
  EnvStore.layerMemory,
  EventFeed.layerMemory,
  HealthProbe.layerMemory,
  Hints.layerMemory,
  IdempotencyStore.layerMemory,
  JobStore.layerMemory,
  RetentionStore.layerMemory,
  Journal.layerMemory,
  Leases.layerMemory,
  LogStore.layerMemory,
  Providers.layerMemory,
  Router.layerMemory,
  RouteStore.layerMemory,
  RunStore.layerMemory,
  SealedSecrets.layerMemory,
  SourceFetcher.layerMemory,
  SubnetPool.layerMemory,
  Subscriber.layerMemory,
  Subscriptions.layerMemory
).pipe(Layer.provideMerge(Layer.merge(MemoryState.layer, cipher)))

/** What {@link layerMemory} provides. */
export type MemoryPorts = Layer.Success<typeof layerMemory>

/** Sets the status of an App in the tables. */
export const putStatus = Effect.fnUntraced(function* (app: AppId, status: AppStatus) {
  const { apps } = yield* MemoryState
  const row = apps.get(app)
  if (row !== undefined) row.app = { ...row.app, status }
})

/** How many values of an App are kept that are secrets. */
export const secretsOf = Effect.fnUntraced(function* (app: AppId) {
  const { apps, deployments, revisions } = yield* MemoryState
  const sources = [...deployments.values()]
    .filter(({ deployment }) => deployment.app === app)
    .map(({ source }) => source)
  const keys = [apps.get(app)?.source, ...sources].filter((source) => source?.type === "git" && source.deployKey)
  const changes = (revisions.get(app) ?? []).filter(({ change }) => change.size > 0)
  return keys.length + changes.length
})
