// An installation of its own on the real engine, trees to build, and what is to be seen of it there. All that it makes is
// removed when the Scope closes.

import { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import { Env, parseChange } from "@lockkeeper/core/domain/Env"
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { type ImageDigest, WorkloadName } from "@lockkeeper/core/domain/Workload"
import type { ContainerRuntime, WorkloadSpec } from "@lockkeeper/core/port/ContainerRuntime"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { Effect, Layer, Result, Stream } from "effect"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { docker, removeInstallation } from "../../../../test/harness/engine.ts"
import { images } from "../../../../test/harness/images.ts"
import { temporaryDirectory } from "../../../../test/harness/temporaryDirectory.ts"
import * as DockerContainerRuntime from "../../src/DockerContainerRuntime.ts"
import { InstallationId } from "../../src/InstallationId.ts"

/** An installation that nobody has seen. */
export const freshInstallation = () => InstallationId.make(`test-${randomBytes(6).toString("hex")}`)

/** How many things of an installation exist. */
export interface Counts {
  readonly containers: number
  readonly networks: number
  readonly volumes: number
}

/** What exists of an installation. */
export const counts = (installation: string): Effect.Effect<Counts> =>
  Effect.promise(async () => {
    const filters = { label: [`lockkeeper.installation=${installation}`] }
    const [containers, networks, volumes] = await Promise.all([
      docker.listContainers({ all: true, filters }),
      docker.listNetworks({ filters }),
      docker.listVolumes({ filters })
    ])
    return { containers: containers.length, networks: networks.length, volumes: (volumes.Volumes ?? []).length }
  })

/** Nothing. */
export const nothing: Counts = { containers: 0, networks: 0, volumes: 0 }

/** Removes everything of an installation, its images too. */
export const removeAll = (installation: string): Effect.Effect<void> =>
  Effect.promise(() => removeInstallation(installation))

/** A tree of these files. */
export const treeOf = (files: Readonly<Record<string, string>>) =>
  Effect.map(temporaryDirectory, (directory) => {
    for (const [name, text] of Object.entries(files)) {
      Fs.mkdirSync(Path.dirname(Path.join(directory, name)), { recursive: true })
      Fs.writeFileSync(Path.join(directory, name), text)
    }
    return { directory, commit: null }
  })

/** A Dockerfile of a small image in which this shell line runs. */
export const shell = (line: string, more = ""): Readonly<Record<string, string>> => ({
  Dockerfile: `FROM ${images.busybox}\n${more}CMD ["sh", "-c", ${JSON.stringify(line)}]\n`
})

/** A shell line that answers HTTP on $PORT until it is told to stop. */
export const serving = `trap 'exit 0' TERM; while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' | nc -l -p "$PORT" >/dev/null 2>&1; done & wait`

/** An app that stops when it is told to. */
export const sleeping = shell("trap 'exit 0' TERM; echo up; sleep 1000 & wait")

const envOf = (entries: Readonly<Record<string, string>>): Env =>
  Env.empty.with(Result.getOrThrow(parseChange(Object.entries(entries))))

/** A Workload of an image. */
export const specOf = (
  image: ImageDigest,
  more: Partial<Omit<WorkloadSpec, "env">> & { readonly env?: Readonly<Record<string, string>> } = {}
): WorkloadSpec => ({
  name: WorkloadName.make(`dep_${randomBytes(6).toString("hex")}-1`),
  tenant: TenantName.make("acme"),
  app: AppId.make("app_test"),
  work: DeploymentId.make("dep_test"),
  fence: Fence.make(1),
  image,
  port: null,
  ...more,
  env: envOf(more.env ?? {})
})

/** Pools of Subnets in memory, each time new ones. */
export const subnetPools = Layer.fresh(Layer.provide(SubnetPool.layerMemory, MemoryState.layer))

/** A runtime of an installation of its own, with pools of its own unless there are others. */
export const runtime = (
  options: Partial<DockerContainerRuntime.DockerContainerRuntimeOptions> = {},
  pools: Layer.Layer<SubnetPool> = subnetPools
) =>
  Effect.gen(function* () {
    const installation = options.installation ?? freshInstallation()
    yield* Effect.addFinalizer(() => removeAll(installation))
    const replica = ReplicaId.make("one")
    const service = yield* DockerContainerRuntime.make({
      installation,
      replica,
      grace: "1 second",
      ...options
    }).pipe(Effect.provide(pools))
    const said: Array<string> = []
    const say = ({ line, stream }: LogEntry) => Effect.sync(() => void said.push(`${stream}: ${line}`))
    const buildOf = (files: Readonly<Record<string, string>>) =>
      Effect.scoped(Effect.flatMap(treeOf(files), (tree) => service.build(tree, say)))
    return { ...service, installation, buildOf, say, said, left: counts(installation) }
  })

/** What a Workload says, to its end or from behind a cursor. */
export const linesOf = (made: Pick<typeof ContainerRuntime.Service, "logs">, ...args: Parameters<typeof made.logs>) =>
  Effect.map(Stream.runCollect(made.logs(...args)), (entries) =>
    entries.map(({ line, stream }) => `${stream}: ${line}`)
  )
