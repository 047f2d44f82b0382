// All ports in memory over one state, which tests may look into.

import { Effect, Layer } from "effect"
import type { AppId, AppStatus } from "../../src/domain/App.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { ContainerRuntime } from "../../src/port/ContainerRuntime.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { EnvStore } from "../../src/port/EnvStore.ts"
import { EventFeed } from "../../src/port/EventFeed.ts"
import { Journal } from "../../src/port/Journal.ts"
import { Leases } from "../../src/port/Leases.ts"
import { LogStore } from "../../src/port/LogStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Router } from "../../src/port/Router.ts"
import { RouteStore } from "../../src/port/RouteStore.ts"
import { SecretCipher } from "../../src/port/SecretCipher.ts"

/** Every port that has a contract, and the state behind them. */
export const layerMemory = Layer.mergeAll(
  AppStore.layerMemory,
  ContainerRuntime.layerMemory,
  DeploymentStore.layerMemory,
  EnvStore.layerMemory,
  EventFeed.layerMemory,
  Journal.layerMemory,
  Leases.layerMemory,
  LogStore.layerMemory,
  Router.layerMemory,
  RouteStore.layerMemory,
  SecretCipher.layerMemory
).pipe(Layer.provideMerge(MemoryState.layer))

/** What {@link layerMemory} provides. */
export type MemoryPorts = Layer.Success<typeof layerMemory>

/** Sets the status of an App in the tables. */
export const putStatus = Effect.fnUntraced(function* (app: AppId, status: AppStatus) {
  const { apps } = yield* MemoryState
  const row = apps.get(app)
  if (row !== undefined) row.app = { ...row.app, status }
})

/** A tree that the memory runtime can build. */
export const memoryTree = { directory: "/memory", commit: null }
