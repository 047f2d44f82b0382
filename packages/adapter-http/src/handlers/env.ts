// The Env of an App: shown, changed by keys or as a whole, and how it came to be. Not here: what a change means, and when
// it is refused (the core).
import { Duration, Effect, Redacted, Result } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { type Env, type EnvChange, mask, parseChange, Revision } from "@lockkeeper/core/domain/Env"
import type { AppStore } from "@lockkeeper/core/port/AppStore"
import { type EnvRevised, EnvStore, longestWait } from "@lockkeeper/core/port/EnvStore"
import {
  type EnvChangeError,
  mergeEnv,
  previewEnv,
  previewReplacedEnv,
  replaceEnv
} from "@lockkeeper/core/program/mergeEnv"
import { Caller } from "../api/Authorization.ts"
import * as Problems from "../api/Problems.ts"
import { pageOf } from "../internal/pages.ts"
import { envProblems, invalidEnvKey, invalidEnvValue } from "./envOutcomes.ts"
import { gone, unavailable, visibleApp } from "./outcomes.ts"

/** Handles the Env routes, which are a part of the group of the Apps. */
export const envHandlers = Effect.gen(function* () {
  const ports = yield* Effect.context<AppStore | EnvStore>()
  const envs = yield* EnvStore

  return {
    readEnv: Effect.fnUntraced(function* ({ params, query }: EnvRead) {
      const { id } = yield* visibleApp(params.app)
      const { revision, deployedRevision, env } = yield* envs
        .read(id)
        .pipe(Effect.catchTags({ AppGone: gone, StoreError: unavailable }))
      const pending = isPending(revision, deployedRevision)
      const body = {
        revision,
        deployedRevision,
        pending,
        env: shown(env, query.reveal === "true" ? "revealed" : "masked")
      }
      return HttpApiSchema.withHeaders({ body, headers: { etag: `"${revision}"` } })
    }, Effect.provideContext(ports)),

    mergeEnv: Effect.fnUntraced(function* (request: EnvWrite) {
      const write = yield* writeOf(request)
      const expected = yield* Effect.fromResult(expectedRevision(request.headers["if-match"]))
      const merge = { ...write, expected }
      return yield* answered(request.query.dryRun === "true" ? previewEnv(merge) : mergeEnv(merge))
    }, Effect.provideContext(ports)),

    replaceEnv: Effect.fnUntraced(function* (request: EnvWrite) {
      const write = yield* writeOf(request)
      const expected = yield* Effect.fromResult(expectedRevision(request.headers["if-match"]))
      if (expected === undefined) {
        return yield* new Problems.IfMatchRequired({ detail: "If-Match names the revision that is replaced" })
      }
      const replacement = { ...write, expected }
      return yield* answered(
        request.query.dryRun === "true" ? previewReplacedEnv(replacement) : replaceEnv(replacement)
      )
    }, Effect.provideContext(ports)),

    envHistory: Effect.fnUntraced(function* ({ params, query }: EnvHistory) {
      const { id } = yield* visibleApp(params.app)
      return yield* envs.history(id, pageOf(query)).pipe(Effect.catchTags({ AppGone: gone, StoreError: unavailable }))
    }, Effect.provideContext(ports))
  }
})

/** Whether what serves runs with another Revision; while nothing serves, nothing is pending. */
export const isPending = (revision: Revision, deployed: Revision | null): boolean =>
  deployed !== null && deployed !== revision

interface EnvRead {
  readonly params: { readonly app: string }
  readonly query: { readonly reveal?: "true" | "false" }
}

interface EnvWrite {
  readonly params: { readonly app: string }
  readonly query: { readonly dryRun?: "true" | "false" }
  readonly headers: { readonly "if-match"?: string }
  readonly payload: { readonly env: Readonly<Record<string, string | null>> }
}

interface EnvHistory {
  readonly params: { readonly app: string }
  readonly query: { readonly limit?: number; readonly cursor?: string }
}

/** Who changes what. The bound of a change counts from the request, so that what the lookup took is not waited again. */
const writeOf = Effect.fnUntraced(function* ({ params, payload }: EnvWrite) {
  const [spent, { id }] = yield* Effect.timed(visibleApp(params.app))
  const { name } = yield* Caller
  const change = yield* Effect.fromResult(changeOf(payload.env))
  return { app: id, actor: name, change, patience: Duration.max(Duration.subtract(longestWait, spent), shortestWait) }
})

/** A change is tried, however long the lookup took. */
const shortestWait = Duration.millis(100)

const changeOf = (
  entries: EnvWrite["payload"]["env"]
): Result.Result<EnvChange, Problems.InvalidEnvKey | Problems.InvalidEnvValue> =>
  Result.mapError(parseChange(Object.entries(entries)), ({ _tag, key }) =>
    _tag === "InvalidEnvKey" ? invalidEnvKey(key) : invalidEnvValue(key)
  )

const answered = <R>(change: Effect.Effect<EnvRevised, EnvChangeError, R>) =>
  change.pipe(
    Effect.catchTags(envProblems),
    Effect.map(({ applied, revision }) => {
      const body = {
        revision,
        keysSet: applied.keysSet.length,
        keysDeleted: applied.keysDeleted.length,
        total: applied.env.size,
        env: shown(applied.env, "masked")
      }
      return HttpApiSchema.withHeaders({ body, headers: { etag: `"${revision}"` } })
    })
  )

const shown = (env: Env, how: "revealed" | "masked"): Record<string, string> =>
  Object.fromEntries([...env].map(([key, value]) => [key, how === "revealed" ? Redacted.value(value) : mask]))

/** No Env reaches it: what a tag names that is no Revision, or that is weak, is never the present one (RFC 9110, 13.1.1). */
const noRevision = Revision.make(Number.MAX_SAFE_INTEGER)

const expectedRevision = (ifMatch: string | undefined): Result.Result<Revision | undefined, Problems.InvalidBody> => {
  if (ifMatch === undefined || ifMatch === "*") return Result.succeed(undefined)
  const revision = /^(?:"(0|[1-9]\d{0,14})"|(\d{1,15}))$/.exec(ifMatch)
  if (revision !== null) return Result.succeed(Revision.make(Number(revision[1] ?? revision[2])))
  return /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/.test(ifMatch)
    ? Result.succeed(noRevision)
    : Result.fail(new Problems.InvalidBody({ detail: "headers.if-match: not one ETag of an env" }))
}
