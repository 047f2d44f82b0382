// The ports of the reference server at a place, in this process: for tests that run programs themselves.

import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ConfigProvider, Effect } from "effect"
import { openDataDirectory } from "../../examples/server/dataDirectory.ts"
import { makePorts } from "../../examples/server/main.ts"
import { chooseRuntime } from "../../examples/server/runtime.ts"
import { settings } from "../../examples/server/settings.ts"
import type { Place } from "./server.ts"

/** Builds them; they are released when the Scope closes. */
export const portsAt = Effect.fnUntraced(function* ({ env }: Place) {
  const options = yield* settings.pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
  )
  const directory = yield* openDataDirectory(options)
  const choice = yield* chooseRuntime(options)
  const replica: ReplicaId = directory.replica
  return { replica, ports: yield* makePorts(options, directory, choice) }
})
