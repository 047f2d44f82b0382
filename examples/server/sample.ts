// Deploys the bundled sample app through the public API and shows it step by step, as any client would see it.
import type { Redacted } from "effect"
import { Console, Duration, Effect, Ref, Schedule, Stream } from "effect"
import { type AppId, AppName } from "@lockkeeper/core/domain/App"
import { ArchiveUrl, GitRef, GitUrl, Sha256, type Source } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { Journal } from "@lockkeeper/core/port/Journal"
import { type Client, make as makeClient } from "@lockkeeper/adapter-http/Client"
import { type SampleSource, serveSample } from "./sampleRepository.ts"

/** Where the API is, and how to call it. */
export interface SampleOptions {
  readonly baseUrl: string
  readonly token: Redacted.Redacted<string>
  readonly tokenPath: string
  readonly directory: string
  /** What the sample's image is built from where it runs in a container. */
  readonly image: string
  /** Where the sample's App is remembered, so that it can be stopped. */
  readonly app: Ref.Ref<AppId | undefined>
}

/** Deploys the sample and says where it answers and what to try next. */
export const deploySample = Effect.fn("deploySample")(function* (options: SampleOptions) {
  const client = yield* makeClient(options)
  const source = sourceOf(yield* serveSample(options.directory, options.image))
  yield* Console.log(
    `\nDeploying the bundled sample app from ${source.type === "git" ? "a Git repository" : "an archive"}:`
  )
  const app = yield* sampleApp(client, source)
  yield* Ref.set(options.app, app.id)
  const deployment = yield* client.deployments.begin({ params: { app: app.id }, payload: { source } }).pipe(
    Effect.map((answer) => ("body" in answer ? answer.body : answer)),
    Effect.retry({
      while: (error) => error._tag === "DeploymentInProgress",
      schedule: Schedule.spaced(Duration.millis(500)),
      times: 60
    })
  )
  yield* showSteps(client, deployment.id)

  const ended = yield* client.deployments.get({ params: { deployment: deployment.id } })
  const { url } = yield* client.apps.get({ params: { app: app.id } })
  if (ended.status !== "healthy") {
    return yield* Console.error(`\nThe sample app is ${ended.status}: ${ended.error?.detail ?? "no reason was given"}`)
  }
  yield* Console.log(
    [
      "",
      `sample app: ${url}`,
      `API docs:   ${options.baseUrl}/docs`,
      "",
      "Try next: change its greeting and deploy again; the address stays.",
      "",
      `  TOKEN=$(cat ${options.tokenPath})`,
      `  curl -sX PATCH ${options.baseUrl}/v1/apps/${app.id}/env -H "Authorization: Bearer $TOKEN" \\`,
      `    -H 'Content-Type: application/json' -d '{"env":{"GREETING":"It works"}}'`,
      `  curl -sX POST ${options.baseUrl}/v1/apps/${app.id}/deployments -H "Authorization: Bearer $TOKEN"`,
      `  curl -s ${url}`,
      "",
      "Ctrl-C stops everything; the next start finds it again.",
      ""
    ].join("\n")
  )
})

/** Stops the sample where its Workload would outlive the server. It is started again with the next one. */
export const stopSample = Effect.fn("stopSample")(function* (app: Ref.Ref<AppId | undefined>) {
  const id = yield* Ref.get(app)
  if (id === undefined) return
  const journal = yield* Journal
  const runtime = yield* ContainerRuntime
  const stopped = Effect.flatMap(journal.held(id), (held) =>
    Effect.forEach(held, ({ name, workload }) => runtime.stop(name, workload?.id), { discard: true })
  )
  yield* Effect.catch(stopped, (error) => Effect.logWarning("the sample app was not stopped", error))
})

const sampleApp = Effect.fnUntraced(function* (client: Client, source: Source) {
  const tenant = TenantName.make("sample")
  const name = AppName.make("hello")
  const healthCheck = { path: "/healthz", intervalMillis: 100, timeoutSeconds: 30 }
  return yield* client.apps.create({ payload: { tenant, name, source, healthCheck } }).pipe(
    Effect.map(({ body }) => body),
    Effect.catchTag("AppNameTaken", () =>
      Effect.flatMap(client.apps.list({ query: { tenant } }), ({ items }) => {
        const found = items.find((app) => app.name === name)
        return found === undefined
          ? Effect.die("the sample app is there and is not")
          : client.apps.change({ params: { app: found.id }, payload: { source } })
      })
    )
  )
})

const showSteps = Effect.fnUntraced(function* (client: Client, deployment: string) {
  const lines = yield* client.deployments.logs({
    params: { deployment },
    query: { follow: "true" },
    headers: { accept: "application/x-ndjson" }
  })
  let began: number | undefined
  yield* Stream.runForEach(lines, (item) => {
    if ("end" in item) return Console.log(`  ${mark(item.status)} ${item.status}`)
    began ??= item.at.epochMilliseconds
    const seconds = ((item.at.epochMilliseconds - began) / 1_000).toFixed(1).padStart(5)
    return Console.log(`  ${seconds} s  ${item.stream === "system" ? item.line : `${item.stream}: ${item.line}`}`)
  })
})

const mark = (status: string): string => (status === "healthy" ? "✔" : "✘")

const sourceOf = (source: SampleSource): Source =>
  source.type === "git"
    ? { type: "git", url: GitUrl.make(source.url), ref: GitRef.make(source.ref) }
    : { type: "archive", url: ArchiveUrl.make(source.url), sha256: Sha256.make(source.sha256) }
