// What users do with a server: make an App, deploy it, read its log, ask it something.

import type { Client } from "@lockkeeper/adapter-http/Client"
import { AppName } from "@lockkeeper/core/domain/App"
import type { Source } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { Command } from "@lockkeeper/core/domain/Workload"
import { type Duration, Effect, Stream } from "effect"
import { randomBytes } from "node:crypto"
import type { Agent } from "node:http"
import { get } from "node:http"
import { eventually } from "./eventually.ts"
import type { Answer } from "./testApp.ts"

/** How the tests ask an App whether it is healthy: often. */
export const healthCheck = { path: "/healthz", intervalMillis: 50, timeoutSeconds: 30 }

/** What an App may be made with; a Tenant of its own, unless one is given, so that no cap is in the way. */
export interface AppOptions {
  readonly source?: Source
  readonly tenant?: TenantName
  readonly check?: Partial<typeof healthCheck>
  readonly preDeploy?: Command
}

/** Makes an App. */
export const makeApp = Effect.fnUntraced(function* (
  client: Client,
  { check, preDeploy, source, tenant }: AppOptions = {}
) {
  const name = `t${randomBytes(6).toString("hex")}`
  const { body } = yield* client.apps.create({
    payload: {
      tenant: tenant ?? TenantName.make(name),
      name: AppName.make(name),
      healthCheck: { ...healthCheck, ...check },
      ...(preDeploy === undefined ? {} : { preDeploy }),
      ...(source === undefined ? {} : { source })
    }
  })
  return body
})

/** What a Deployment may be begun with. */
export type Begin = NonNullable<Parameters<Client["deployments"]["begin"]>[0]["payload"]>

/** Begins a Deployment and answers it as it stands then. */
export const begin = Effect.fnUntraced(function* (client: Client, app: string, payload: Begin = {}) {
  const answer = yield* client.deployments.begin({ params: { app }, payload })
  return "body" in answer ? answer.body : answer
})

/** Waits until a Deployment is over. */
export const ended = (client: Client, deployment: string, within: Duration.Input = "30 seconds") =>
  eventually(
    `${deployment} ends`,
    client.deployments.get({ params: { deployment } }),
    ({ finishedAt }) => finishedAt !== null,
    within
  )

/** Deploys and answers how it ended. */
export const deploy = Effect.fnUntraced(function* (client: Client, app: string, payload: Begin = {}) {
  const { id } = yield* begin(client, app, payload)
  return yield* ended(client, id)
})

/** Makes an App and deploys it; dies when it does not become healthy. Answers it as it is then. */
export const deployedApp = Effect.fnUntraced(function* (client: Client, source: Source) {
  const { id } = yield* makeApp(client, { source })
  const { error, status } = yield* deploy(client, id)
  const app = yield* client.apps.get({ params: { app: id } })
  return app.url === null
    ? yield* Effect.die(new Error(`${status}: ${error?.code} ${error?.detail}`))
    : { ...app, url: app.url }
})

/** The items of a Deployment's log. */
export const logOf = Effect.fnUntraced(function* (
  client: Client,
  deployment: string,
  follow: "true" | "false" = "false"
) {
  const items = yield* client.deployments.logs({
    params: { deployment },
    query: { follow },
    headers: { accept: "application/x-ndjson" }
  })
  return yield* Stream.runCollect(items)
})

/** The text of a Deployment's log. */
export const logText = (client: Client, deployment: string) =>
  Effect.map(logOf(client, deployment), (items) => items.map((item) => ("line" in item ? item.line : "")).join("\n"))

/** What came back over HTTP; status 0 where nothing did. */
export interface Reply {
  readonly status: number
  readonly text: string
}

/** Asks once, over a connection of its own or of an agent. */
export const ask = (url: string, agent: Agent | false = false): Effect.Effect<Reply> =>
  Effect.callback((resume) => {
    const outgoing = get(url, { agent, timeout: 10_000 }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk))
      response.once("error", (error) => resume(Effect.succeed({ status: 0, text: error.message })))
      response.once("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
    })
    outgoing.once("timeout", () => outgoing.destroy(new Error("no answer within 10 s")))
    outgoing.once("error", (error) => resume(Effect.succeed({ status: 0, text: error.message })))
    return Effect.sync(() => void outgoing.destroy())
  })

/** What a test app says about itself, as soon as it is this version. */
export const serves = (url: string, version: string, within: Duration.Input = "20 seconds"): Effect.Effect<Answer> =>
  eventually(`${url} is served by ${version}`, ask(url), isOf(version), within).pipe(
    Effect.map(({ text }): Answer => JSON.parse(text))
  )

const isOf =
  (version: string) =>
  ({ status, text }: Reply): boolean =>
    status === 200 && text.startsWith(`{"version":${JSON.stringify(version)},`)
