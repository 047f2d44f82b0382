// Where Runs can be made: on the Docker engine, and as processes of this host. Neither is looked at before a Run asks for it.
import { join } from "node:path"
import { Effect, Layer } from "effect"
import * as DockerProvider from "@lockkeeper/adapter-docker/DockerProvider"
import type { PostgresHealth } from "@lockkeeper/adapter-postgres/PostgresHealth"
import type { PostgresInstallation } from "@lockkeeper/adapter-postgres/PostgresInstallation"
import * as ProcessProvider from "@lockkeeper/adapter-process/ProcessProvider"
import { Target } from "@lockkeeper/core/domain/Run"
import { Providers, type TargetSpec } from "@lockkeeper/core/port/Providers"
import type { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import type { DataDirectory } from "./dataDirectory.ts"
import { installationOf } from "./installation.ts"
import type { RuntimeChoice } from "./runtime.ts"

/** The Providers of both targets. A Run that names none is made where Apps run. */
export const targetsLayer = ({ runtime }: RuntimeChoice, { replica, secretKey, work }: DataDirectory) =>
  Layer.unwrap(
    Effect.map(Effect.context<PostgresHealth | PostgresInstallation | SubnetPool>(), (context) => {
      const docker: TargetSpec = {
        target: Target.make("docker"),
        make: (section) =>
          installationOf(secretKey).pipe(
            Effect.flatMap((installation) => DockerProvider.target({ installation, replica })),
            Effect.flatMap((spec) => spec.make(section)),
            Effect.provideContext(context)
          )
      }
      const host = ProcessProvider.target({ runs: join(work, "runs") })
      return Providers.layer({ targets: [docker, host], settings: {}, usual: Target.make(runtime) })
    })
  )
