// The reference server: every part of Lockkeeper on this machine, as `../../README.md` starts it. Copy it and replace what
// your platform has already: the database, the runtime, the router.
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Context, Effect, Layer, Logger, Option, Redacted, Ref, References } from "effect"
import { HttpServer } from "effect/http"
import * as EmbeddedPostgres from "@lockkeeper/adapter-postgres/EmbeddedPostgres"
import { layer as postgresLayer } from "@lockkeeper/adapter-postgres/layer"
import { PostgresHealth } from "@lockkeeper/adapter-postgres/PostgresHealth"
import { nodeCipherKey } from "@lockkeeper/adapter-process/NodeCipherKey"
import * as ProcessContainerRuntime from "@lockkeeper/adapter-process/ProcessContainerRuntime"
import * as HttpHealthProbe from "@lockkeeper/adapter-http/HttpHealthProbe"
import * as ProxyRouter from "@lockkeeper/adapter-http/ProxyRouter"
import { Fingerprints } from "@lockkeeper/adapter-http/Fingerprints"
import { layer as serverLayer } from "@lockkeeper/adapter-http/Server"
import { ServerInfo } from "@lockkeeper/adapter-http/ServerInfo"
import { Tokens } from "@lockkeeper/adapter-http/Tokens"
import type { AppId } from "@lockkeeper/core/domain/App"
import { defaultLeaseTerms, type LeaseTerms } from "@lockkeeper/core/domain/Lease"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import { Replica } from "@lockkeeper/core/program/Replica"
import { buildId } from "./buildId.ts"
import { type DataDirectory, openDataDirectory } from "./dataDirectory.ts"
import { installationOf, ready } from "./installation.ts"
import { rotated } from "./rotated.ts"
import { chooseRuntime, type RuntimeChoice, runtimeLayer } from "./runtime.ts"
import { deploySample, stopSample } from "./sample.ts"
import { type Settings, settings } from "./settings.ts"
import { startFailure } from "./startFailure.ts"
import { targetsLayer } from "./targets.ts"
import { subscribed, telling, webhookOf } from "./webhook.ts"

/** Where the database is, and where it is without a pooler in between, if that is known. */
const databaseUrls = Effect.fnUntraced(function* (
  { databaseUrl, directDatabaseUrl }: Settings,
  { path }: DataDirectory
) {
  const direct = Option.getOrUndefined(directDatabaseUrl)
  if (Option.isSome(databaseUrl)) return { url: databaseUrl.value, directUrl: direct }
  if (direct !== undefined) {
    yield* Effect.logWarning(
      "LOCKKEEPER_DIRECT_DATABASE_URL is not used without DATABASE_URL: the embedded database is direct"
    )
  }
  yield* Console.log("starting the embedded database …")
  const { url } = yield* EmbeddedPostgres.make({ dataDir: path })
  return { url, directUrl: url }
})

const serverInfo = Layer.effect(
  ServerInfo,
  Effect.gen(function* () {
    const health = yield* PostgresHealth
    const notReady = Effect.map(health.reasons, (reasons) => reasons.map(({ _tag }) => _tag))
    return { build: yield* buildId, schemaVersion: health.schemaVersion, appHost: "127.0.0.1", notReady }
  })
)

const dispatcher = ({ retainReleases: releases, retention: ages }: Settings) =>
  Layer.unwrap(
    Effect.map(Effect.context<PostgresHealth>(), (context) =>
      Dispatcher.layer({ retention: { releases, ages }, startWhen: Effect.provideContext(ready, context) })
    )
  )

/** Everything that the server stands on: what is made last is ended first, so the server ends before any of it. */
export const makePorts = Effect.fnUntraced(function* (
  options: Settings,
  directory: DataDirectory,
  choice: RuntimeChoice,
  terms: LeaseTerms = defaultLeaseTerms
) {
  const { replica, retiredSecretKeys: retired, secretKey } = directory
  const { prepare, migrate, appPorts: ports, logLimitBytes } = options
  const urls = yield* databaseUrls(options, directory)

  const bringing = migrate === "wait" ? "elsewhere" : migrate
  const stores = postgresLayer({ ...urls, prepare, migrate: bringing, ports, logLimitBytes }).pipe(
    Layer.provide(SecretCipher.layer(secretKey, { retired, makeKey: nodeCipherKey }))
  )
  const adapters = Layer.mergeAll(
    runtimeLayer(choice, options, directory),
    targetsLayer(choice, options, directory),
    HttpHealthProbe.layer,
    ProxyRouter.layer({ replica }),
    Replica.layer(replica, terms)
  )
  return yield* Layer.build(Layer.provideMerge(adapters, stores))
})

const makeServer = (options: Settings, { adminToken, secretKey }: DataDirectory) => {
  const { host, port, tokens } = options
  const given = Option.getOrElse(tokens, () => Redacted.make(`admin:${Redacted.value(adminToken.token)}=*`))
  return serverLayer({ host, port }).pipe(
    Layer.provide([dispatcher(options), serverInfo, Fingerprints.layer(secretKey), Tokens.layer(given)])
  )
}

/** Serves until it is interrupted; everything is released first then. */
const served = Effect.fnUntraced(function* (terms: LeaseTerms) {
  const options = yield* settings
  const directory = yield* openDataDirectory(options)
  const webhook = yield* webhookOf(options)
  const choice = yield* chooseRuntime(options)
  yield* Console.log(`runtime: ${choice.runtime} (${choice.reason})`)
  if (choice.runtime === "process") yield* Console.log(ProcessContainerRuntime.isolation)

  const ports = yield* makePorts(options, directory, choice, terms)
  if (Option.isSome(webhook) && options.migrate === "apply") yield* Effect.provideContext(subscribed, ports)
  const sampleApp = yield* Ref.make<AppId | undefined>(undefined)
  yield* Effect.addFinalizer(() => Effect.provideContext(stopSample(sampleApp), ports))
  const server = yield* Effect.provideContext(Layer.build(makeServer(options, directory)), ports)

  const { address } = Context.get(server, HttpServer.HttpServer)
  const baseUrl = `http://${options.host}:${address._tag === "UnixPathAddress" ? options.port : address.port}`
  if (Option.isNone(options.tokens)) yield* Effect.logInfo(`the admin token is in ${directory.adminToken.path}`)
  yield* Console.log(`listening on ${baseUrl}`)

  yield* Effect.forkScoped(Effect.provideContext(installationOf(directory.secretKey), ports))
  if (directory.retiredSecretKeys.length > 0) yield* Effect.forkScoped(Effect.provideContext(rotated, ports))
  if (Option.isSome(webhook)) yield* Effect.forkScoped(Effect.provideContext(telling(webhook.value), ports))

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

/** The whole server with its logging, and what it says when it cannot start. What it has in hand is leased under the terms. */
export const mainUnder = (terms: LeaseTerms) =>
  served(terms).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(NodeServices.layer, logging)),
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(`lockkeeper did not start: ${startFailure(cause)}`)
    )
  )

/** The same under the terms that servers have. */
export const main = mainUnder(defaultLeaseTerms)
