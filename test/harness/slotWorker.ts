// One of several processes that take Slots on one database, in every way that there is. Builds, Workloads and commands are
// only remembered; each begins, and lasts until the file `open` is in the directory.

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PostgresLayer from "@lockkeeper/adapter-postgres/layer"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { HealthProbe } from "@lockkeeper/core/port/HealthProbe"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { Providers } from "@lockkeeper/core/port/Providers"
import { Router } from "@lockkeeper/core/port/Router"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { Replica } from "@lockkeeper/core/program/Replica"
import { Config, Duration, Effect, Layer, Logger, Schema } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { batch, churn, rounds } from "./slotDuties.ts"
import { held } from "./slotHold.ts"
import { SlotOrders } from "./slotOrders.ts"
import { workerKey } from "./workerOrders.ts"

const orders = Config.schema(Schema.fromJsonString(SlotOrders), "WORKER")

const main = Effect.gen(function* () {
  const { directory, duty, name } = yield* orders
  Fs.writeFileSync(Path.join(directory, `${name}.ready`), "")
  switch (duty._tag) {
    case "rounds":
      return yield* rounds(directory, name)
    case "churn":
      return yield* churn(duty.tenants, directory, name)
    case "batch":
      return yield* batch(duty, directory, name)
  }
})

/** Every image is there, and what runs is held. */
const runtime = Layer.effect(
  ContainerRuntime,
  Effect.gen(function* () {
    const [{ images }, memory, { directory, name }] = [yield* MemoryState, yield* ContainerRuntime, yield* orders]
    const hold = (work: string) => held(directory, name, work)
    return ContainerRuntime.of({
      ...memory,
      start: (spec) =>
        Effect.andThen(
          hold(spec.work),
          Effect.suspend(() => memory.start((images.add(spec.image), spec)))
        ),
      run: (spec, say, started) =>
        Effect.andThen(
          hold(spec.work),
          Effect.suspend(() => memory.run((images.add(spec.image), spec), say, started))
        ),
      hasImage: () => Effect.succeed(true),
      keepImage: () => Effect.void
    })
  })
).pipe(Layer.provide(ContainerRuntime.layerMemory))

const ports = Layer.unwrap(
  Effect.gen(function* () {
    const { leaseMillis, name } = yield* orders
    const url = yield* Config.Redacted("DATABASE_URL")
    const terms = { ttl: Duration.millis(leaseMillis), renewEvery: Duration.millis(leaseMillis / 4) }
    return Layer.mergeAll(
      PostgresLayer.layer({ url, migrate: "elsewhere", maxConnections: 8 }),
      PostgresLayer.layerClient({ url, maxConnections: 2 }),
      Replica.layer(ReplicaId.make(`replica-${name}`), terms),
      Layer.mergeAll(
        runtime,
        HealthProbe.layerMemory,
        Providers.layerMemory,
        Router.layerMemory,
        SourceFetcher.layerMemory
      ).pipe(Layer.provide(MemoryState.layer))
    ).pipe(Layer.provide(SecretCipher.layer(workerKey)))
  })
)

main.pipe(Effect.provide(Layer.merge(ports, Logger.layer([]))), NodeRuntime.runMain)
