// The reference server: every part of Lockkeeper on this machine, as `../README.md` starts it. Copy it and replace what
// your platform has already: the database, the runtime, the router.
import { join } from "node:path"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import {
  Cause,
  Console,
  Context,
  Effect,
  Layer,
  Logger,
  Option,
  Redacted,
  Ref,
  References,
  Runtime,
  Schedule
} from "effect"
import { HttpServer } from "effect/http"
import * as EmbeddedPostgres from "@lockkeeper/adapter-postgres/EmbeddedPostgres"
import { layer as postgresLayer } from "@lockkeeper/adapter-postgres/layer"
import { PostgresHealth } from "@lockkeeper/adapter-postgres/PostgresHealth"
import * as ProcessContainerRuntime from "@lockkeeper/adapter-process/ProcessContainerRuntime"
import * as HttpHealthProbe from "@lockkeeper/adapter-http/HttpHealthProbe"
import * as ProxyRouter from "@lockkeeper/adapter-http/ProxyRouter"
import { layer as serverLayer } from "@lockkeeper/adapter-http/Server"
import { ServerInfo } from "@lockkeeper/adapter-http/ServerInfo"
import { Tokens } from "@lockkeeper/adapter-http/Tokens"
import type { AppId } from "@lockkeeper/core/domain/App"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import { Replica } from "@lockkeeper/core/program/Replica"
import { buildId } from "./server/buildId.ts"
import { type DataDirectory, openDataDirectory } from "./server/dataDirectory.ts"
import { chooseRuntime, type RuntimeChoice, runtimeLayer } from "./server/runtime.ts"
import { deploySample, stopSample } from "./server/sample.ts"
import { type Settings, settings } from "./server/settings.ts"
import { startFailure } from "./server/startFailure.ts"

const databaseUrl = Effect.fnUntraced(function* ({ databaseUrl }: Settings, { path }: DataDirectory) {
  if (Option.isSome(databaseUrl)) return databaseUrl.value
  yield* Console.log("starting the embedded database …")
  return (yield* EmbeddedPostgres.make({ dataDir: path })).url
})

const serverInfo = Layer.effect(
  ServerInfo,
  Effect.gen(function* () {
    const health = yield* PostgresHealth
    const notReady = Effect.map(health.reasons, (reasons) => reasons.map(({ _tag }) => _tag))
    return { build: yield* buildId, schemaVersion: health.schemaVersion, appHost: "127.0.0.1", notReady }
  })
)

const dispatcher = Layer.unwrap(
  Effect.map(PostgresHealth, ({ reasons }) => {
    const ready = Effect.repeat(reasons, {
      until: (found) => found.length === 0,
      schedule: Schedule.spaced("1 second")
    })
    return Dispatcher.layer({ startWhen: Effect.asVoid(ready) })
  })
)

/** Everything that the server stands on: what is made last is ended first, so the server ends before any of it. */
const makePorts = Effect.fnUntraced(function* (options: Settings, directory: DataDirectory, choice: RuntimeChoice) {
  const { replica, secretKey } = directory
  const { prepare, migrate, appPorts: ports, logLimitBytes } = options
  const url = yield* databaseUrl(options, directory)

  const bringing = migrate === "wait" ? "elsewhere" : migrate
  const stores = postgresLayer({ url, prepare, migrate: bringing, ports, logLimitBytes }).pipe(
    Layer.provide(SecretCipher.layer(secretKey))
  )
  const adapters = Layer.mergeAll(
    runtimeLayer(choice, options, directory),
    HttpHealthProbe.layer,
    ProxyRouter.layer({ replica }),
    Replica.layer(replica)
  )
  return yield* Layer.build(Layer.provideMerge(adapters, stores))
})

const makeServer = ({ host, port, tokens }: Settings, { adminToken }: DataDirectory) => {
  const given = Option.getOrElse(tokens, () => Redacted.make(`admin:${Redacted.value(adminToken.token)}=*`))
  return serverLayer({ host, port }).pipe(Layer.provide([dispatcher, serverInfo, Tokens.layer(given)]))
}

const main = Effect.gen(function* () {
  const options = yield* settings
  const directory = yield* openDataDirectory(options)
  const choice = yield* chooseRuntime(options)
  yield* Console.log(`runtime: ${choice.runtime} (${choice.reason})`)
  if (choice.runtime === "process") yield* Console.log(ProcessContainerRuntime.isolation)

  const ports = yield* makePorts(options, directory, choice)
  const sampleApp = yield* Ref.make<AppId | undefined>(undefined)
  yield* Effect.addFinalizer(() => Effect.provideContext(stopSample(sampleApp), ports))
  const server = yield* Effect.provideContext(Layer.build(makeServer(options, directory)), ports)

  const { address } = Context.get(server, HttpServer.HttpServer)
  const baseUrl = `http://${options.host}:${address._tag === "UnixPathAddress" ? options.port : address.port}`
  if (Option.isNone(options.tokens)) yield* Effect.logInfo(`the admin token is in ${directory.adminToken.path}`)
  yield* Console.log(`listening on ${baseUrl}`)

  if (options.sample && Option.isNone(options.tokens)) {
    const { token, path: tokenPath } = directory.adminToken
    const { sampleImage: image } = options
    const sample = { baseUrl, token, tokenPath, directory: join(directory.work, "sample"), image, app: sampleApp }
    yield* Effect.catch(deploySample(sample), (error) => Effect.logError("the sample app was not deployed", error))
  }
  return yield* Effect.never
})

const logging = Layer.unwrap(
  Effect.map(settings, ({ logLevel, logFormat }) => {
    const format = Option.getOrElse(logFormat, () => (process.stderr.isTTY ? "pretty" : "json"))
    return Layer.mergeAll(
      Logger.layer([format === "pretty" ? Logger.consolePretty() : Logger.consoleJson]),
      Layer.succeed(References.MinimumLogLevel, levels[logLevel]),
      Layer.succeed(References.LogToStderr, true)
    )
  })
)

const levels = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

const stopDeadlineMillis = 25_000
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => setTimeout(() => process.exit(70), stopDeadlineMillis).unref())
}

main.pipe(
  Effect.scoped,
  Effect.provide(Layer.merge(NodeServices.layer, logging)),
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(`lockkeeper did not start: ${startFailure(cause)}`)
  ),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) => Runtime.defaultTeardown(exit, (code) => onExit(code === 130 ? 0 : code))
  })
)
