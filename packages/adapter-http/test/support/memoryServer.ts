// The whole HTTP server over memory ports, on a port of its own, for tests of the wire format.
import { createServer } from "node:net"
import { Context, Effect, Layer, Redacted } from "effect"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { EventFeed } from "@lockkeeper/core/port/EventFeed"
import { HealthProbe } from "@lockkeeper/core/port/HealthProbe"
import { hinted } from "@lockkeeper/core/port/hinted"
import { Hints } from "@lockkeeper/core/port/Hints"
import { IdempotencyStore, type ReservationTerms } from "@lockkeeper/core/port/IdempotencyStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { Providers } from "@lockkeeper/core/port/Providers"
import { RetentionStore } from "@lockkeeper/core/port/RetentionStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { LogStore } from "@lockkeeper/core/port/LogStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { Router } from "@lockkeeper/core/port/Router"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import { Replica } from "@lockkeeper/core/program/Replica"
import { Fingerprints } from "../../src/Fingerprints.ts"
import { layer as serverLayer } from "../../src/Server.ts"
import { ServerInfo } from "../../src/ServerInfo.ts"
import { Tokens } from "../../src/Tokens.ts"

/** Tokens that the server knows: one for every Tenant, and one for each of two. */
export const tokens = { admin: "admin-secret", acme: "acme-secret", other: "other-secret" }

/** The memory ports, all over one state. */
export const memoryPorts = Layer.mergeAll(
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
  RunStore.layerMemory,
  RetentionStore.layerMemory,
  Journal.layerMemory,
  LogStore.layerMemory,
  Providers.layerMemory,
  Router.layerMemory,
  SourceFetcher.layerMemory,
  Replica.layer(ReplicaId.make("test"))
).pipe(Layer.provideMerge(MemoryState.layer))

/** The memory ports and what they are over. */
export type MemoryPorts = Layer.Success<typeof memoryPorts>

/** The memory ports, or others, with one altered by somebody who knows it, and all of them, as they should be. */
export const altered = <Id extends MemoryPorts, Shape>(
  port: Context.Key<Id, Shape>,
  alter: (original: Shape, ports: Context.Context<MemoryPorts>) => Shape,
  others: typeof memoryPorts = memoryPorts
): typeof memoryPorts =>
  Layer.effectContext(
    Effect.map(Layer.build(others), (ports) => Context.add(ports, port, alter(Context.get(ports, port), ports)))
  )

const fingerprints = Fingerprints.layer(Redacted.make(new Uint8Array(32).fill(7)))

/** Nobody carries out what is queued or begun: everything stands where a test puts it. */
const nobody = Layer.succeed(Dispatcher, {
  ready: Effect.void,
  wake: Effect.void,
  take: () => Effect.void,
  takeRun: () => Effect.void
})

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** What is special about a server. */
export interface MemoryServerOptions {
  /** What readiness reports. */
  readonly notReady?: ReadonlyArray<string>
  readonly ports?: typeof memoryPorts
  /** Who carries out Deployments; nobody unless said. */
  readonly work?: "carried out" | "left alone"
  readonly reservationTerms?: ReservationTerms
}

/** Starts the server for as long as the Scope lasts and answers its address, and the ports to reach behind it. */
export const startServer = Effect.fnUntraced(function* (options: MemoryServerOptions = {}) {
  const port = yield* freePort
  const info = Layer.succeed(ServerInfo, {
    build: "test",
    schemaVersion: 1,
    appHost: "127.0.0.1",
    notReady: Effect.succeed(options.notReady ?? [])
  })
  const setting = `ops:${tokens.admin}=*,ann:${tokens.acme}=acme,${tokens.other}=other`
  const ports = yield* Layer.build(
    serverLayer({ host: "127.0.0.1", port, reservationTerms: options.reservationTerms }).pipe(
      Layer.provideMerge(options.work === "carried out" ? Dispatcher.layer() : nobody),
      Layer.provide([info, fingerprints, Tokens.layer(Redacted.make(setting))]),
      Layer.provideMerge(Layer.effectContext(Effect.map(Layer.build(options.ports ?? memoryPorts), hinted)))
    )
  )
  return { baseUrl: `http://127.0.0.1:${port}`, port, ports }
})
