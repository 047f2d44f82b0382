// PostgreSQL keeps what the models say of it: the same asks as in memory, and several at the same time for real. All runs
// share one database, which each one empties first.

import { layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Models from "../../../test/harness/models/models.ts"
import { expectProperty, holds } from "../../../test/harness/models/properties.ts"
import type { ModelPorts } from "../../../test/harness/models/Seen.ts"
import { layerTables } from "./support/modelTables.ts"
import { stores } from "./support/stores.ts"

const limit = 600_000

const kept = Effect.fnUntraced(function* (model: Models.Model, runs: number, width: number) {
  const context = yield* Effect.context<ModelPorts>()
  const property = holds(model, { ports: Effect.succeed(context), maxCommands: 25, width })
  yield* Effect.promise(() => expectProperty(property, runs))
})

layer(Layer.provideMerge(layerTables, stores()), { excludeTestServices: true })("PostgreSQL", (it) => {
  it.effect(
    "INV-1 INV-13: a Deployment has one holder or can be taken, and only the newest Fence writes",
    () => kept(Models.holding, 4, 1),
    limit
  )

  it.effect(
    "INV-2 U5: at most one Deployment of an App waits and one is in progress, as Policies say, and a delivery makes one",
    () => kept(Models.activity, 4, 1),
    limit
  )

  it.effect(
    "INV-3: a Tenant never has more running than its cap, no Slot is lost, and the queue is served in order",
    () => kept(Models.slots, 4, 1),
    limit
  )

  it.effect(
    "INV-1 INV-3 K3: Jobs and Deployments share the Slots of their Tenant, in one queue, and only the newest Fence writes",
    () => kept(Models.jobs, 4, 1),
    limit
  )

  it.effect(
    "INV-4: what was asked to stop ends so, at once while it waits, and never becomes healthy",
    () => kept(Models.stops, 4, 1),
    limit
  )

  it.effect(
    "INV-5: an Env is what its changes make of it, and each Revision can be read for ever",
    () => kept(Models.envs, 4, 1),
    limit
  )

  it.effect(
    "INV-6: an App that is not live begins nothing, takes no traffic and gets no Release",
    () => kept(Models.liveness, 4, 1),
    limit
  )

  it.effect(
    "INV-7: what was made is in the Journal until it is released, and is owned or told to be nobody's",
    () => kept(Models.ownership, 4, 1),
    limit
  )

  it.effect(
    "INV-8 INV-9: the current Release is that of the last healthy Deployment, and numbers have no gap",
    () => kept(Models.releases, 4, 1),
    limit
  )

  it.effect(
    "U7 X12: every transition is one Event, in the order in which they happened",
    () => kept(Models.events, 4, 1),
    limit
  )

  it.effect(
    "INV-1 INV-2 INV-3 INV-4 INV-5 INV-6 INV-7 INV-8 INV-13 U5 U7: what several ask at the same time is explained by some order",
    () => kept(Models.everything, 4, 4),
    limit
  )
})
