// INV-5: an Env is what its changes make of it one after the other, each as a whole, with a Revision for every one that
// changed something. The merge here is a second one, over plain maps, and shares nothing with that of the domain.

import type { App, AppId } from "@lockkeeper/core/domain/App"
import { Env, type EnvKey, limitBytes, Revision } from "@lockkeeper/core/domain/Env"
import type { DeploymentRequest } from "@lockkeeper/core/port/DeploymentRequest"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { Effect, Redacted, Result } from "effect"
import { isDeepStrictEqual } from "node:util"
import { type Ledger, put } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import type { Seen } from "../Seen.ts"

type Plain = ReadonlyMap<EnvKey, string>

/** What the Env of each App was at every Revision, from 0 on. */
type Histories = ReadonlyMap<AppId, ReadonlyArray<Plain>>

type Revise = Extract<Seen, { readonly call: "revise" }>

const sorted = (env: Plain): Plain => new Map([...env].sort(([a], [b]) => (a < b ? -1 : 1)))

const plain = (env: Env): Plain => sorted(new Map([...env].map(([key, value]) => [key, Redacted.value(value)])))

const bytes = (env: Plain): number => Buffer.byteLength(JSON.stringify(Object.fromEntries(sorted(env))), "utf8")

const historyOf = (histories: Histories, app: AppId): ReadonlyArray<Plain> => histories.get(app) ?? [new Map()]

const merged = (before: Plain, change: ReadonlyMap<EnvKey, Redacted.Redacted<string> | null>) => {
  const env = new Map(before)
  for (const [key, value] of change) {
    if (value === null) env.delete(key)
    else env.set(key, Redacted.value(value))
  }
  return {
    env: sorted(env),
    keysSet: [...change].flatMap(([key, value]) => (value === null ? [] : [key])).sort(),
    keysDeleted: [...before.keys()].filter((key) => !env.has(key)).sort(),
    changed: !isDeepStrictEqual(sorted(env), sorted(before))
  }
}

/** What a call must come to: the refusal, or the Revision and what changed. */
const due = ({ app, decide }: Revise, histories: Histories) => {
  const history = historyOf(histories, app)
  const before = history.at(-1) ?? new Map()
  const revision = history.length - 1
  const sealed = Env.empty.with(new Map([...before].map(([key, value]) => [key, Redacted.make(value)] as const)))
  const decided = decide({ revision: Revision.make(revision), env: sealed })
  if (Result.isFailure(decided)) return decided.failure
  const result = merged(before, decided.success)
  if (!result.changed) return { revision, ...result }
  return bytes(result.env) > limitBytes ? "EnvTooLarge" : { revision: revision + 1, ...result }
}

/** Whether a Deployment goes back to a Release that is named, with the Env that this one had. */
const isOfEarlier = ({ release }: DeploymentRequest): boolean => release !== undefined && release !== "current"

const objection = (_: Ledger, seen: Seen, histories: Histories): string | undefined => {
  if (seen.call === "begin" && seen.value?.created === true && !isOfEarlier(seen.request)) {
    const { app, envRevision } = seen.value.deployment
    const present = historyOf(histories, app).length - 1
    return envRevision === present ? undefined : `it begins with revision ${envRevision}, not with ${present}`
  }
  if (seen.call !== "revise") return undefined
  const { refusal, value } = seen
  if (refusal === "AppGone" || refusal === "AppNotLive") return undefined
  const expected = due(seen, histories)
  if (value === undefined) return refusal === expected ? undefined : `it was refused with ${refusal}`
  const { applied, revision } = value
  const { changed, env, keysDeleted, keysSet } = applied
  const answered = { revision: Number(revision), env: plain(env), keysSet, keysDeleted, changed }
  return isDeepStrictEqual(answered, expected) ? undefined : "the change came to something else"
}

/** An Env is the sum of its changes in some order, and every Revision can be read for ever. */
export const envs = makeRule<Histories>({
  id: "INV-5",
  start: new Map(),
  objection,
  after: (histories, seen) => {
    if (seen.call === "register" && seen.value !== undefined) return put(histories, seen.value.id, [new Map()])
    if (seen.call !== "revise" || seen.value?.applied.changed !== true) return histories
    return put(histories, seen.app, [...historyOf(histories, seen.app), plain(seen.value.applied.env)])
  },
  look: Effect.fnUntraced(function* (known) {
    const store = yield* EnvStore
    const historyAt = Effect.fnUntraced(function* (app: AppId) {
      const { env, revision } = yield* store.read(app)
      const numbers = Array.from({ length: revision }, (_, number) => Revision.make(number))
      const earlier = yield* Effect.forEach(numbers, (number) => store.readAt(app, number))
      return [...earlier, env].map(plain)
    })
    const orGone = ({ id }: App) => Effect.catchTag(historyAt(id), "AppGone", () => Effect.succeed("gone"))
    return yield* Effect.forEach(known.apps, orGone, { concurrency: 8 })
  }),
  expected: ({ statuses }, histories) =>
    [...histories].map(([app, history]) => (statuses.get(app) === "deleted" ? "gone" : history))
})
