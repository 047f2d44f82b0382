// Whether what several callers saw of one Env could have come from one that is changed by one caller at a time: eight change
// and read it at once, and the history of all of them is judged.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { AppName } from "@lockkeeper/core/domain/App"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { mergeEnv } from "@lockkeeper/core/program/mergeEnv"
import { type EnvInput, envMap, type EnvOutput } from "@lockkeeper/core/testing/envMap"
import { changeOf, plain } from "@lockkeeper/core/testing/Fixture"
import * as History from "@lockkeeper/core/testing/History"
import { linearizable } from "@lockkeeper/core/testing/linearizable"
import { Console, Effect } from "effect"
import { layerInMemory } from "./layerInMemory.ts"

// #region history
const program = Effect.gen(function* () {
  const envs = yield* EnvStore
  const { id: app } = yield* (yield* AppStore).register({ tenant: TenantName.make("acme"), name: AppName.make("web") })
  const history = yield* History.make<EnvInput, EnvOutput>()

  const merge = (process: string, changes: Record<string, string>) =>
    history.record(
      { key: app, process, input: { type: "merge", changes } },
      mergeEnv({ app, actor: process, change: changeOf(changes) }),
      {
        success: ({ revision, applied }) => ({ type: applied.changed ? "revised" : "unchanged", revision }),
        failure: ({ _tag }) => ({ type: _tag === "StoreError" ? "unknown" : "fail" })
      }
    )
  const read = (process: string) =>
    history.record({ key: app, process, input: { type: "read" } }, envs.read(app), {
      success: ({ env, revision }) => ({ type: "read", revision, entries: plain(env) }),
      failure: () => ({ type: "fail" })
    })

  const caller = (index: number) =>
    Effect.andThen(merge(`caller-${index}`, { [`KEY_${index % 3}`]: String(index) }), read(`caller-${index}`))
  yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], caller, { concurrency: "unbounded" })

  const operations = yield* history.operations
  const verdict = linearizable(envMap, operations)
  yield* Console.log(
    verdict.type === "notLinearizable" ? verdict.report : `${operations.length} operations: ${verdict.type}`
  )
})
// #endregion

program.pipe(Effect.provide(layerInMemory), NodeRuntime.runMain)
