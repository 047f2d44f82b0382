// Every port that a deploy or a job needs, in memory and over one state.
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { HealthProbe } from "@lockkeeper/core/port/HealthProbe"
import { Hints } from "@lockkeeper/core/port/Hints"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { RetentionStore } from "@lockkeeper/core/port/RetentionStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { LogStore } from "@lockkeeper/core/port/LogStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { Providers } from "@lockkeeper/core/port/Providers"
import { Router } from "@lockkeeper/core/port/Router"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { Replica } from "@lockkeeper/core/program/Replica"
import { Layer } from "effect"

/** The ports and the identity of the replica that acts. */
export const layerInMemory = Layer.mergeAll(
  AppStore.layerMemory,
  CheckpointStore.layerMemory,
  ContainerRuntime.layerMemory,
  DeploymentStore.layerMemory,
  EnvStore.layerMemory,
  HealthProbe.layerMemory,
  Hints.layerMemory,
  JobStore.layerMemory,
  RetentionStore.layerMemory,
  Journal.layerMemory,
  LogStore.layerMemory,
  Providers.layerMemory,
  Router.layerMemory,
  RunStore.layerMemory,
  SourceFetcher.layerMemory,
  Replica.layer(ReplicaId.make("example"))
).pipe(Layer.provide(MemoryState.layer))
