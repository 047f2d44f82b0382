// A deploy in a container, without a database or a server: the same program over memory, the Docker engine and an app that this
// file brings along. Nothing is left on the engine when it ends.
import { createHash } from "node:crypto"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import * as DockerContainerRuntime from "@lockkeeper/adapter-docker/DockerContainerRuntime"
import * as DockerSourceFetcher from "@lockkeeper/adapter-docker/DockerSourceFetcher"
import { InstallationId } from "@lockkeeper/adapter-docker/InstallationId"
import * as HttpHealthProbe from "@lockkeeper/adapter-http/HttpHealthProbe"
import * as ProcessSourceFetcher from "@lockkeeper/adapter-process/ProcessSourceFetcher"
import { AppName } from "@lockkeeper/core/domain/App"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { type ArchiveSource, ArchiveUrl, ImageReference, Sha256 } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Router } from "@lockkeeper/core/port/Router"
import { deploy } from "@lockkeeper/core/program/deploy"
import { Console, Effect, Layer } from "effect"
import { create } from "tar"
import { layerInMemory } from "./layerInMemory.ts"

const baseImage = process.env["BASE_IMAGE"] ?? "node:24-alpine"

const files = {
  Dockerfile: `FROM ${baseImage}\nCOPY app.mjs .\nUSER 65534\nCMD ["node", "app.mjs"]\n`,
  "app.mjs": `import { createServer } from "node:http"
createServer((_, response) => response.end("hello from " + process.env.HOSTNAME)).listen(process.env.PORT)
process.on("SIGTERM", () => process.exit(0))\n`
}

/** Packs the app and serves it, as any artifact store would. */
const archive = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "deploy-on-docker-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const bytes = yield* Effect.promise(async () => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    await create({ gzip: true, cwd: directory, file: join(directory, "app.tar.gz") }, Object.keys(files))
    return readFile(join(directory, "app.tar.gz"))
  })
  const port = yield* Effect.callback<number>((resume) => {
    const server = createServer((_, response) => response.end(bytes)).listen(0, "127.0.0.1", () => {
      const address = server.unref().address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
  const source: ArchiveSource = {
    type: "archive",
    url: ArchiveUrl.make(`http://127.0.0.1:${port}/app.tar.gz`),
    sha256: Sha256.make(createHash("sha256").update(bytes).digest("hex"))
  }
  return { source, directory }
})

const program = Effect.gen(function* () {
  const { directory, source } = yield* archive
  const docker = { installation: InstallationId.make("example"), replica: ReplicaId.make("example") }
  const fetcher = DockerSourceFetcher.layer({
    ...docker,
    gitImage: ImageReference.make("alpine/git:2.49.1"),
    directory: join(directory, "clones")
  }).pipe(Layer.provide(ProcessSourceFetcher.layer({ directory: join(directory, "archives") })))
  const engine = Layer.mergeAll(fetcher, DockerContainerRuntime.layer(docker), HttpHealthProbe.layer)

  yield* Effect.provide(deployed(source), Layer.merge(layerInMemory, engine))
})

const deployed = Effect.fnUntraced(function* (source: ArchiveSource) {
  const apps = yield* AppStore
  const app = yield* apps.register({ tenant: TenantName.make("acme"), name: AppName.make("web"), source })
  const deployment = yield* deploy({ app: app.id, trigger: { kind: "manual" } })

  const address = yield* (yield* Router).current(app.id)
  if (address === undefined) return yield* Console.error(`it is ${deployment.status}: ${deployment.error?.detail}`)
  const page = yield* Effect.promise(() =>
    fetch(`http://${address.host}:${address.port}`).then((answer) => answer.text())
  )
  yield* Console.log(`${app.name} is ${deployment.status} and says: ${page}`)

  const runtime = yield* ContainerRuntime
  for (const { name, workload } of yield* (yield* Journal).held(app.id)) yield* runtime.stop(name, workload?.id)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
