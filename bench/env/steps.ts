// One step of a writer, as a worker takes it again and again: a merge through the program, the same statements through the
// bare driver, the transaction of the textbook, a PATCH over HTTP. Each answers the Revision that it made.

import { layerClient, layerStores } from "@lockkeeper/adapter-postgres/layer"
import { AppId } from "@lockkeeper/core/domain/App"
import { EnvKey } from "@lockkeeper/core/domain/Env"
import { nodeCipherKey } from "@lockkeeper/adapter-process/NodeCipherKey"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { mergeEnv } from "@lockkeeper/core/program/mergeEnv"
import { Effect, Layer, Predicate, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { Pool as HttpPool } from "undici"
import type { Orders } from "./orders.ts"
import { paramsOf } from "./statements.ts"
import { type Step, StepFailed } from "./Step.ts"
import { textbookSteps } from "./textbook.ts"

type Of<Kind extends Orders["kind"]> = Extract<Orders, { readonly kind: Kind }>

/** The steps that these orders ask for; what they hold is released with the Scope. */
export const stepsOf = (orders: Orders): Effect.Effect<Step, unknown, Scope.Scope> => {
  switch (orders.kind) {
    case "merge":
      return mergeSteps(orders)
    case "driver":
      return driverSteps(orders)
    case "textbook":
      return textbookSteps(orders)
    case "http":
      return httpSteps(orders)
  }
}

const kindOf = (error: unknown): string =>
  Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : String(error)

const mergeSteps = Effect.fnUntraced(function* ({ connections, secretKey, url }: Of<"merge">) {
  const client = layerClient({ url: Redacted.make(url), maxConnections: connections, prepare: true })
  const stores = layerStores({ migrate: "elsewhere" }).pipe(
    Layer.provide([client, SecretCipher.layer(Redacted.make(secretKey), { makeKey: nodeCipherKey })])
  )
  const context = yield* Layer.build(stores)
  const step: Step = ({ app, key, value, writer }) =>
    mergeEnv({
      app: AppId.make(app),
      actor: `writer-${writer}`,
      change: new Map([[EnvKey.make(key), Redacted.make(value)]])
    }).pipe(
      Effect.map(({ revision }) => Number(revision)),
      Effect.mapError((error) => new StepFailed({ kind: kindOf(error) })),
      Effect.provideContext(context)
    )
  return step
})

const driverSteps = Effect.fnUntraced(function* ({ connections, plans, url }: Of<"driver">) {
  const context = yield* Layer.build(
    layerClient({ url: Redacted.make(url), maxConnections: connections, prepare: true })
  )
  const { reserve } = yield* Effect.provideContext(SqlClient.SqlClient, context)
  const sent = new Map(plans.map(({ app }) => [app, 0]))
  const byApp = new Map(plans.map((plan) => [plan.app, plan]))
  const step: Step = ({ app }) =>
    Effect.gen(function* () {
      const count = (sent.get(app) ?? 0) + 1
      sent.set(app, count)
      const connection = yield* reserve
      for (const statement of byApp.get(app)?.statements ?? []) {
        yield* connection.execute(statement.text, paramsOf(statement, count), undefined)
      }
      return count
    }).pipe(
      Effect.scoped,
      Effect.mapError((error) => new StepFailed({ kind: kindOf(error) }))
    )
  return step
})

const httpSteps = Effect.fnUntraced(function* ({ connections, token, url }: Of<"http">) {
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new HttpPool(url, { connections, pipelining: 1 })),
    (pool) => Effect.promise(() => pool.destroy())
  )
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
  const step: Step = ({ app, key, value }) =>
    Effect.tryPromise({
      try: async () => {
        const body = JSON.stringify({ env: { [key]: value } })
        const answer = await pool.request({ path: `/v1/apps/${app}/env`, method: "PATCH", headers, body })
        return { status: answer.statusCode, text: await answer.body.text() }
      },
      catch: (cause) => new StepFailed({ kind: kindOf(cause) })
    }).pipe(
      Effect.flatMap(({ status, text }) =>
        status === 200
          ? Effect.succeed(Number(/"revision":(\d+)/.exec(text)?.[1]))
          : Effect.fail(new StepFailed({ kind: `HTTP ${status}` }))
      )
    )
  return step
})
