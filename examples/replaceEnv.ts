// Replacing all variables of an App with others that are made from the present ones, as a tool that edits them in a file does.
// Whoever changed the Env meanwhile is never overwritten: the replacement names the Revision it was made from, and is made
// again from what is there when that is not the present one any more.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { type AppId, AppName } from "@lockkeeper/core/domain/App"
import { type EnvChange, EnvKey } from "@lockkeeper/core/domain/Env"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { mergeEnv, replaceEnv } from "@lockkeeper/core/program/mergeEnv"
import { Console, Effect, Redacted } from "effect"
import { layerInMemory } from "./layerInMemory.ts"

const actor = "editor"
const key = EnvKey.make
const names = (keys: ReadonlyArray<EnvKey>) => keys.join(" and ") || "nothing"

// #region replace
/** Drops every variable that begins with `OLD_`; `meanwhile` is what happens while somebody has the variables open. */
const cleanUp = Effect.fn("cleanUp")(function* (app: AppId, meanwhile: Effect.Effect<unknown, unknown, EnvStore>) {
  const envs = yield* EnvStore

  const attempt = Effect.gen(function* () {
    const { env, revision } = yield* envs.read(app)
    const change: EnvChange = new Map([...env].filter(([name]) => !name.startsWith("OLD_")))
    yield* Effect.ignore(meanwhile)
    return yield* replaceEnv({ app, actor, change, expected: revision })
  })

  return yield* Effect.retry(attempt, { while: ({ _tag }) => _tag === "RevisionMismatch", times: 10 })
})
// #endregion

const program = Effect.gen(function* () {
  const apps = yield* AppStore
  const envs = yield* EnvStore
  const { id: app } = yield* apps.register({ tenant: TenantName.make("acme"), name: AppName.make("web") })
  const set = (name: string) =>
    mergeEnv({ app, actor: "colleague", change: new Map([[key(name), Redacted.make("secret")]]) })
  yield* set("TOKEN")
  yield* set("OLD_TOKEN")

  yield* cleanUp(app, yield* Effect.cached(set("NEW_TOKEN")))

  const { items } = yield* envs.history(app, { limit: 10 })
  for (const { actor, keysDeleted, keysSet, revision } of items) {
    yield* Console.log(`${revision}: ${actor} set ${names(keysSet)}, deleted ${names(keysDeleted)}`)
  }
  const { env } = yield* envs.read(app)
  yield* Console.log(`left: ${names(env.keys())}`)
})

program.pipe(Effect.provide(layerInMemory), NodeRuntime.runMain)
