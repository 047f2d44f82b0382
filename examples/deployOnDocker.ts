// A deploy in a container, without a database or a server: the same program over memory, the Docker engine and an app that this
// file brings along. However it ends, no container and no network is left; the image stays with the engine, as builds do.
import { randomInt } from "node:crypto"
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as DockerContainerRuntime from "@lockkeeper/adapter-docker/DockerContainerRuntime"
import * as DockerSourceFetcher from "@lockkeeper/adapter-docker/DockerSourceFetcher"
import { InstallationId } from "@lockkeeper/adapter-docker/InstallationId"
import * as HttpHealthProbe from "@lockkeeper/adapter-http/HttpHealthProbe"
import * as ProcessSourceFetcher from "@lockkeeper/adapter-process/ProcessSourceFetcher"
import { type AppId, AppName } from "@lockkeeper/core/domain/App"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { type ArchiveSource, ImageReference } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { type AppNameTaken, AppStore, type PortsExhausted } from "@lockkeeper/core/port/AppStore"
import type { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import type { DeploymentRefused } from "@lockkeeper/core/port/DeploymentRequest"
import { Journal } from "@lockkeeper/core/port/Journal"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { Router, type RouterError } from "@lockkeeper/core/port/Router"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { deploy, type DeployPorts } from "@lockkeeper/core/program/deploy"
import { releaseWorkload } from "@lockkeeper/core/program/retire"
import { Cause, Console, Effect, Layer, type Scope } from "effect"
import { layerInMemory } from "./layerInMemory.ts"
import { servedArchive } from "./servedArchive.ts"

const baseImage = process.env["BASE_IMAGE"] ?? "node:24-alpine"
const installation = InstallationId.make(process.env["INSTALLATION"] ?? "example")

const files = {
  Dockerfile: `FROM ${baseImage}\nCOPY app.mjs .\nUSER 65534\nCMD ["node", "app.mjs"]\n`,
  "app.mjs": `import { createServer } from "node:http"
createServer((_, response) => response.end("hello from " + process.env.HOSTNAME)).listen(process.env.PORT)
process.on("SIGTERM", () => process.exit(0))\n`
}

// In memory, ids begin with 1 in every process, and containers are named after them: two runs would take each other's.
const ownIds = Layer.effectDiscard(
  Effect.map(MemoryState, (state) => {
    state.sequence = randomInt(2 ** 40)
  })
).pipe(Layer.provide(MemoryState.layer))

const program = Effect.gen(function* () {
  const { directory, source } = yield* servedArchive(files)
  const docker = { installation, replica: ReplicaId.make("example") }
  const fetcher = DockerSourceFetcher.layer({
    ...docker,
    gitImage: ImageReference.make("alpine/git:2.49.1"),
    directory: join(directory, "clones")
  }).pipe(Layer.provide(ProcessSourceFetcher.layer({ directory: join(directory, "archives") })))
  const subnets = Layer.provide(SubnetPool.layerMemory, MemoryState.layer)
  const runtime = Layer.provide(DockerContainerRuntime.layer(docker), subnets)
  const engine = Layer.mergeAll(fetcher, runtime, HttpHealthProbe.layer)

  yield* Effect.provide(Effect.scoped(deployed(source)), Layer.mergeAll(layerInMemory, engine, ownIds))
})

type Refused = AppNameTaken | PortsExhausted | DeploymentRefused | RouterError | StoreError

const deployed = Effect.fn("deployed")(function* (
  source: ArchiveSource
): Effect.fn.Return<void, Refused | string, AppStore | DeployPorts | Scope.Scope> {
  const apps = yield* AppStore
  const app = yield* apps.register({ tenant: TenantName.make("acme"), name: AppName.make("web"), source })
  yield* Effect.addFinalizer(() => stopAll(app.id))
  const deployment = yield* deploy({ app: app.id, trigger: { kind: "manual" } })

  const address = yield* (yield* Router).current(app.id)
  const { error, status } = deployment
  if (address === undefined) return yield* Effect.fail(`${app.name} is ${status}: ${error?.detail}`)
  const page = yield* Effect.tryPromise({
    try: (signal) => fetch(`http://${address.host}:${address.port}`, { signal }).then((answer) => answer.text()),
    catch: (cause) => `${app.name} is ${status}, and its page cannot be fetched: ${String(cause)}`
  })
  yield* Console.log(`${app.name} is ${status} and says: ${page}`)
})

const stopAll = Effect.fn("stopAll")(function* (
  app: AppId
): Effect.fn.Return<void, StoreError, ContainerRuntime | Journal> {
  const held = yield* (yield* Journal).held(app)
  yield* Effect.forEach(held, ({ name, workload }) => releaseWorkload(name, workload?.id))
}, Effect.orDie)

const said = (cause: Cause.Cause<unknown>) =>
  Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(String(Cause.squash(cause)))

program.pipe(Effect.scoped, Effect.tapCause(said), NodeRuntime.runMain({ disableErrorReporting: true }))
