// What a platform does itself and its Tenants are capped in: one export in a Slot, and a night's work that can be resumed.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { JobKey } from "@lockkeeper/core/port/JobRequest"
import { runBatch } from "@lockkeeper/core/program/runBatch"
import { withSlot } from "@lockkeeper/core/program/withSlot"
import { Console, Effect, Schema } from "effect"
import { layerInMemory } from "./layerInMemory.ts"

// #region capped
const tenant = TenantName.make("acme")

const program = Effect.gen(function* () {
  const rows = yield* withSlot({ tenant }, Effect.succeed(42))
  yield* Console.log(`exported ${rows} rows in a slot`)

  const nightly = runBatch(
    { tenant, key: JobKey.make("invoices-2026-11"), items: ["ann", "bob", "cy"], result: Schema.Int, concurrency: 2 },
    ({ item }) => (item === "bob" ? Effect.fail("no address") : Effect.succeed(item.length))
  )
  for (const result of yield* nightly) {
    const outcome = result.status === "done" ? result.value : result.status === "failed" ? result.error : "not tried"
    yield* Console.log(`${result.item}: ${outcome}`)
  }
})
// #endregion

program.pipe(Effect.provide(layerInMemory), NodeRuntime.runMain)
