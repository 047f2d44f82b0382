// Apps to write to, the statements that a merge of them sends, and whether they hold in the end what was acknowledged.

import { layerStores } from "@lockkeeper/adapter-postgres/layer"
import { AppId, AppName } from "@lockkeeper/core/domain/App"
import { EnvKey } from "@lockkeeper/core/domain/Env"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { mergeEnv } from "@lockkeeper/core/program/mergeEnv"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Cluster } from "./cluster.ts"
import { keyAt, type Report, valueAt } from "./orders.ts"
import { makeRecording } from "./recording.ts"
import { type Plan, planOf } from "./statements.ts"

/** Apps with the Revision that they were left at, and the number of their variables. */
export interface Seeded {
  readonly apps: ReadonlyArray<string>
  readonly revisions: ReadonlyMap<string, number>
  readonly keys: number
}

/** Stores that remember nothing of what others of them did. */
const freshStores = Layer.unwrap(
  Effect.map(Cluster, ({ secretKey }) =>
    Layer.provide(layerStores({ migrate: "elsewhere" }), SecretCipher.layer(Redacted.make(secretKey)))
  )
)

const merged = (app: string, entries: ReadonlyArray<readonly [key: string, value: string]>) =>
  mergeEnv({
    app: AppId.make(app),
    actor: "bench",
    change: new Map(entries.map(([key, value]) => [EnvKey.make(key), Redacted.make(value)]))
  })

/** The present Revision of each App. */
export const revisionsOf = (apps: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const store = yield* AppStore
    const found = yield* Effect.forEach(apps, (app) => store.get(AppId.make(app)))
    return new Map(found.map(({ envRevision, id }) => [String(id), Number(envRevision)]))
  }).pipe(Effect.provide(freshStores))

/** Makes Apps whose Envs have so many keys. The planner knows of them before anybody connects. */
export const seed = Effect.fnUntraced(function* (name: string, count: number, keys: number) {
  const sql = yield* SqlClient.SqlClient
  const apps = yield* Effect.gen(function* () {
    const store = yield* AppStore
    return yield* Effect.forEach(Array.from({ length: count }).keys(), (index) =>
      Effect.gen(function* () {
        const appName = AppName.make(`${name}-${index}`)
        const { id } = yield* store.register({ tenant: TenantName.make("bench"), name: appName })
        const entries = Array.from({ length: keys }, (_, key) => [keyAt(key), valueAt(key, 0)] as const)
        yield* merged(id, entries)
        return String(id)
      })
    )
  }).pipe(Effect.provide(freshStores))
  yield* sql`vacuum analyze`
  const seeded: Seeded = { apps, revisions: yield* revisionsOf(apps), keys }
  return seeded
})

const recordedMerges = 12
const alike = 3

/** What a merge of each App sends while nobody else writes it, from several that were recorded. */
export const plansOf = Effect.fnUntraced(function* ({ apps }: Pick<Seeded, "apps">) {
  const { layer, recording } = yield* makeRecording
  const planning = Effect.forEach(apps, (app) =>
    Effect.gen(function* () {
      const merges: Array<ReturnType<typeof recording.take>> = []
      recording.take()
      let plan: Plan | undefined
      while (merges.length < recordedMerges && plan === undefined) {
        yield* merged(app, [[keyAt(0), valueAt(9, merges.length)]])
        merges.push(recording.take())
        plan = merges.length > alike ? planOf(app, merges.slice(-alike)) : undefined
      }
      return plan ?? (yield* Effect.die(new Error(`merges of ${app} do not send the same statements`)))
    })
  )
  return yield* planning.pipe(Effect.provide(Layer.provide(freshStores, layer)))
})

const failuresOf = ({ failures }: Report): ReadonlyArray<string> =>
  [...failures].map(([kind, count]) => `${count} failed: ${kind}`)

/** What the Apps do not hold that was acknowledged: every change with a Revision of its own, and the last of each key. */
export const wrongIn = Effect.fnUntraced(function* (seeded: Seeded, report: Report) {
  const wrong = [...failuresOf(report)]
  const envs = yield* EnvStore
  for (const { app, count, last, revisions } of report.acknowledged) {
    const first = seeded.revisions.get(app) ?? 0
    const { env, revision } = yield* envs.read(AppId.make(app))
    if (revision !== first + count) wrong.push(`${app} is at ${revision}: ${count} acknowledged after ${first}`)
    if (revisions !== count * first + (count * (count + 1)) / 2) wrong.push(`${app}: two changes of one Revision`)
    if (env.size !== seeded.keys) wrong.push(`${app} has ${env.size} keys, not ${seeded.keys}`)
    for (const [key, { value }] of last) {
      const held = env.get(EnvKey.make(key))
      if (held === undefined || Redacted.value(held) !== value) wrong.push(`${app} lost what ${key} was set to`)
    }
  }
  return wrong
}, Effect.provide(freshStores))

/** What is wrong with Apps to which statements were replayed: each must have moved by one Revision every time. */
export const unmoved = Effect.fnUntraced(function* (base: ReadonlyMap<string, number>, report: Report) {
  const present = yield* revisionsOf(report.acknowledged.map(({ app }) => app))
  const wrong = report.acknowledged.filter(({ app, count }) => present.get(app) !== (base.get(app) ?? 0) + count)
  return [...failuresOf(report), ...wrong.map(({ app, count }) => `${app} did not move ${count} times when replayed`)]
})
