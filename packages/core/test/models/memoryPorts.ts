// The memory layers under a model: fresh ones for every run.

import { type Context, Effect, Layer } from "effect"
import { MemoryState } from "../../src/port/MemoryState.ts"
import type { ModelPorts } from "../../../../test/harness/models/Seen.ts"
import { Tables } from "../../../../test/harness/models/Tables.ts"
import { layerMemory, type MemoryPorts } from "../support/layerMemory.ts"

/** The tables in memory. */
export const layerTables = Layer.effect(
  Tables,
  Effect.map(MemoryState, ({ apps, deployments }) =>
    Tables.of({
      setStatus: (id, status) =>
        Effect.sync(() => {
          const row = apps.get(id)
          if (row !== undefined && row.app.status !== "deleted") row.app = { ...row.app, status }
        }),
      lapse: (id) =>
        Effect.sync(() => {
          const row = deployments.get(id)
          if (row !== undefined) row.leaseUntil = 0
        }),
      clear: Effect.void
    })
  )
)

/** Fresh stores in memory, as they are or altered. */
export const memoryPorts = (
  layer: Layer.Layer<MemoryPorts> = layerMemory
): Effect.Effect<Context.Context<ModelPorts>> =>
  Effect.scoped(Layer.build(Layer.fresh(Layer.provideMerge(layerTables, layer))))
