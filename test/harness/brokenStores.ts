// Stores as they are often written: an Env is read, changed and written back whole, and a Deployment is moved on by whoever
// still believes to own it. What checks histories has to notice both.

import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Layer, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql"

const envs = Layer.effect(
  EnvStore,
  Effect.map(EnvStore, (original) =>
    EnvStore.of({
      ...original,
      revise: (edit) =>
        Effect.gen(function* () {
          const before = yield* original.read(edit.app)
          const change = yield* Effect.fromResult(edit.decide(before))
          const read = [...before.env].map(([key, value]) => [key, Redacted.value(value)] as const)
          const made = [...change].map(([key, value]) => [key, value === null ? null : Redacted.value(value)] as const)
          const whole = Given.changeOf(Object.fromEntries([...read, ...made]))
          return yield* original.revise({ ...edit, decide: () => Result.succeed(whole) })
        })
    })
  )
)

const deployments = Layer.effect(
  DeploymentStore,
  Effect.gen(function* () {
    const original = yield* DeploymentStore
    const sql = yield* SqlClient.SqlClient
    return DeploymentStore.of({
      ...original,
      built: ({ deployment: { id } }, image) =>
        sql`update deployments set status = 'deploying', image = ${image} where id = ${id} and status = 'building'`.pipe(
          Effect.mapError((cause) => new StoreError({ operation: "built", reason: "unavailable", cause })),
          Effect.andThen(Effect.catchTag(original.get(id), "DeploymentNotFound", Effect.die))
        )
    })
  })
)

/** Over the stores as they should be. */
export const brokenStores = Layer.merge(envs, deployments)
