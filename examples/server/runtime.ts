// Which runtime Apps run on, and why: containers where an engine answers and has what it takes, else plain processes.
import { join } from "node:path"
import { Effect, Layer } from "effect"
import * as DockerContainerRuntime from "@lockkeeper/adapter-docker/DockerContainerRuntime"
import { EngineUnavailable, ensureImage, inspectEngine } from "@lockkeeper/adapter-docker/DockerEngine"
import * as DockerSourceFetcher from "@lockkeeper/adapter-docker/DockerSourceFetcher"
import type { InstallationId } from "@lockkeeper/adapter-docker/InstallationId"
import * as ProcessContainerRuntime from "@lockkeeper/adapter-process/ProcessContainerRuntime"
import * as ProcessSourceFetcher from "@lockkeeper/adapter-process/ProcessSourceFetcher"
import type { DataDirectory } from "./dataDirectory.ts"
import { installationOf } from "./installation.ts"
import { late } from "./late.ts"
import type { Settings } from "./settings.ts"

/** A runtime, and the reason for it in words for the terminal. */
export interface RuntimeChoice {
  readonly runtime: "docker" | "process"
  readonly reason: string
}

/** Decides. Only with `auto` does it depend on the engine; bringing images may take a minute then. */
export const chooseRuntime = Effect.fnUntraced(function* ({ gitImage, runtime, sample, sampleImage }: Settings) {
  const asked = "as LOCKKEEPER_RUNTIME says"
  if (runtime === "process") return choice("process", asked)
  const usable = Effect.gen(function* () {
    const { version } = yield* inspectEngine()
    yield* ensureImage(gitImage)
    if (sample) yield* ensureImage(sampleImage)
    return version
  }).pipe(
    Effect.timeoutOrElse({
      duration: "1 minute",
      orElse: () => Effect.fail(new EngineUnavailable({ message: "the images could not be pulled within a minute" }))
    })
  )
  const found = yield* Effect.result(usable)
  if (found._tag === "Success") {
    return choice("docker", runtime === "docker" ? asked : `auto: Docker ${found.success} answers`)
  }
  if (runtime === "auto") return choice("process", `auto: ${found.failure.message}`)
  yield* Effect.logWarning(`${found.failure.message}; deployments fail until that is mended`)
  return choice("docker", asked)
})

const choice = (runtime: RuntimeChoice["runtime"], reason: string): RuntimeChoice => ({ runtime, reason })

const onDocker = (installation: InstallationId, gitImage: Settings["gitImage"], { replica, work }: DataDirectory) => {
  const fetcher = DockerSourceFetcher.layer({ installation, replica, gitImage, directory: join(work, "clones") })
  return Layer.merge(Layer.provide(fetcher, onThisHost(work)), DockerContainerRuntime.layer({ installation, replica }))
}

const onThisHost = (work: string) => ProcessSourceFetcher.layer({ directory: join(work, "fetch") })

/** The runtime and the fetcher of sources that belongs to it. What is on an engine is told by the installation. */
export const runtimeLayer = ({ runtime }: RuntimeChoice, settings: Settings, directory: DataDirectory) => {
  const { builds, secretKey, work } = directory
  if (runtime === "process") {
    const { first, last } = settings.appPorts
    const isReserved = (port: number) => port === settings.port || (port >= first && port <= last)
    const homes = join(work, "homes")
    return Layer.merge(onThisHost(work), ProcessContainerRuntime.layer({ builds, homes, isReserved }))
  }
  const docker = Layer.unwrap(
    Effect.map(installationOf(secretKey), (installation) => onDocker(installation, settings.gitImage, directory))
  )
  return settings.migrate === "wait" ? late(docker) : docker
}
