// Where Runs can be made: on the Docker engine and, where Apps are processes of this host, as such. None is looked at before
// a Run asks for it, but for the one where Apps run.
import { join } from "node:path"
import { Effect, Layer } from "effect"
import * as DockerProvider from "@lockkeeper/adapter-docker/DockerProvider"
import type { PostgresHealth } from "@lockkeeper/adapter-postgres/PostgresHealth"
import type { PostgresInstallation } from "@lockkeeper/adapter-postgres/PostgresInstallation"
import * as ProcessProvider from "@lockkeeper/adapter-process/ProcessProvider"
import { Target } from "@lockkeeper/core/domain/Run"
import { ProviderError } from "@lockkeeper/core/port/Provider"
import { Providers, type TargetSpec } from "@lockkeeper/core/port/Providers"
import type { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import type { DataDirectory } from "./dataDirectory.ts"
import { installationOf } from "./installation.ts"
import type { RuntimeChoice } from "./runtime.ts"
import type { Settings } from "./settings.ts"

/**
 * The Providers of the targets. A Run that names none is made where Apps run. Processes are isolated from nothing: where Apps
 * run in containers, nobody's Run gets out of them.
 */
export const targetsLayer = (
  { runtime }: RuntimeChoice,
  { appPorts, port }: Settings,
  { replica, secretKey, work }: DataDirectory
) => {
  const runs = join(work, "runs")
  const made = Layer.unwrap(
    Effect.map(Effect.context<PostgresHealth | PostgresInstallation | SubnetPool>(), (context) => {
      const docker: TargetSpec = {
        target: Target.make("docker"),
        make: (section) =>
          Effect.timeoutOrElse(installationOf(secretKey), {
            duration: "10 seconds",
            orElse: () => new ProviderError({ reason: "provider_unavailable", detail: "the database does not answer" })
          }).pipe(
            Effect.flatMap((installation) => DockerProvider.target({ installation, replica })),
            Effect.flatMap((spec) => spec.make(section)),
            Effect.provideContext(context)
          )
      }
      const isReserved = (asked: number) => asked === port || (asked >= appPorts.first && asked <= appPorts.last)
      const host = ProcessProvider.target({ runs, isReserved })
      return Providers.layer({
        targets: runtime === "process" ? [docker, host] : [docker],
        settings: {},
        usual: Target.make(runtime)
      })
    })
  )
  return Layer.merge(made, Layer.effectDiscard(ProcessProvider.sweep(runs)))
}
