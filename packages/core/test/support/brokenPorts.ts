// Adapters of the other ports that make the mistakes their contracts exist for.

import { DateTime, Effect, Redacted } from "effect"
import { Fence } from "../../src/domain/Lease.ts"
import type { LogEntry } from "../../src/domain/LogLine.ts"
import { EnvStore } from "../../src/port/EnvStore.ts"
import { Journal } from "../../src/port/Journal.ts"
import { Leases } from "../../src/port/Leases.ts"
import { type LogName, LogStore } from "../../src/port/LogStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Router } from "../../src/port/Router.ts"
import { RouteVersion } from "../../src/domain/Route.ts"
import { RouteStore } from "../../src/port/RouteStore.ts"
import { SecretCipher } from "../../src/port/SecretCipher.ts"
import { makeAppStatusContract } from "../../src/testing/AppStatusContract.ts"
import { JournalContract } from "../../src/testing/JournalContract.ts"
import { LeasesContract } from "../../src/testing/LeasesContract.ts"
import { LogStoreContract } from "../../src/testing/LogStoreContract.ts"
import { RouterContract } from "../../src/testing/RouterContract.ts"
import { RouteStoreContract } from "../../src/testing/RouteStoreContract.ts"
import { SecretCipherContract } from "../../src/testing/SecretCipherContract.ts"
import { altered, type Broken } from "./Broken.ts"
import { putStatus } from "./layerMemory.ts"

/** Broken adapters of the ports that are not about Apps, Envs, Deployments, Events and what runs. */
export const brokenPorts: ReadonlyArray<Broken> = [
  {
    what: "an EnvStore that does not ask whether the App is live",
    contract: makeAppStatusContract(putStatus),
    violates: ["E5"],
    layer: altered(
      EnvStore,
      Effect.fnUntraced(function* (original) {
        const { apps } = yield* MemoryState
        return {
          ...original,
          revise: Effect.fnUntraced(function* (edit) {
            const row = apps.get(edit.app)
            if (row === undefined || row.app.status === "deleted") return yield* original.revise(edit)
            const { app } = row
            row.app = { ...app, status: "live" }
            return yield* Effect.ensuring(
              original.revise(edit),
              Effect.sync(() => (row.app = app))
            )
          })
        }
      })
    )
  },
  {
    what: "a Journal that takes intents under any Fence",
    contract: JournalContract,
    violates: ["R9"],
    layer: altered(
      Journal,
      Effect.fnUntraced(function* (original) {
        const { intents } = yield* MemoryState
        return {
          ...original,
          intend: (intent) =>
            Effect.sync(() => void intents.set(intent.name, { ...intent, workload: null, released: false }))
        }
      })
    )
  },
  {
    what: "a Journal that forgets an intent once its Workload is known",
    contract: JournalContract,
    violates: ["INV-7"],
    layer: altered(Journal, (original) =>
      Effect.succeed({ ...original, confirm: ({ name }) => original.released(name) })
    )
  },
  {
    what: "a LogStore that numbers its lines before it has waited",
    contract: LogStoreContract,
    violates: ["U1"],
    layer: altered(
      LogStore,
      Effect.fnUntraced(function* (original) {
        const { logs } = yield* MemoryState
        const append = Effect.fnUntraced(function* (log: LogName, entries: ReadonlyArray<LogEntry>) {
          yield* original.append(log, [])
          const row = logs.get(log)
          const at = yield* DateTime.now
          const numbered = entries.map((entry, index) => ({
            ...entry,
            at: entry.at ?? at,
            seq: (row?.lines.length ?? 0) + index + 1
          }))
          yield* Effect.yieldNow
          if (row?.ended === false) row.lines.push(...numbered)
        })
        return { ...original, append }
      })
    )
  },
  {
    what: "a LogStore that goes on after the end",
    contract: LogStoreContract,
    violates: ["U1", "U1"],
    layer: altered(
      LogStore,
      Effect.fnUntraced(function* (original) {
        const { logs } = yield* MemoryState
        const append = Effect.fnUntraced(function* (log: LogName, entries: ReadonlyArray<LogEntry>) {
          yield* original.append(log, [])
          const row = logs.get(log)
          const ended = row?.ended === true
          if (row !== undefined) row.ended = false
          yield* original.append(log, entries)
          if (row !== undefined) row.ended = ended
        })
        return { ...original, append }
      })
    )
  },
  {
    what: "Leases that anybody may give back",
    contract: LeasesContract,
    violates: ["INV-13", "INV-13"],
    layer: altered(
      Leases,
      Effect.fnUntraced(function* (original) {
        const { leases } = yield* MemoryState
        const release = (name: string) =>
          Effect.sync(() => {
            const row = leases.get(name)
            if (row !== undefined) row.replica = undefined
          })
        return { ...original, release }
      })
    )
  },
  {
    what: "Leases whose Fence stays the same",
    contract: LeasesContract,
    violates: ["INV-13", "INV-13"],
    layer: altered(Leases, (original) =>
      Effect.succeed({
        ...original,
        acquire: (name, replica, ttl) =>
          Effect.map(original.acquire(name, replica, ttl), (fence) => (fence === undefined ? fence : Fence.make(1)))
      })
    )
  },
  {
    what: "a RouteStore that does not compare Fences",
    contract: RouteStoreContract,
    violates: ["INV-2", "INV-6", "INV-2"],
    layer: altered(
      RouteStore,
      Effect.fnUntraced(function* (original) {
        const { routeStates } = yield* MemoryState
        return {
          ...original,
          put: (route) =>
            Effect.andThen(
              Effect.sync(() => routeStates.delete(route.app)),
              original.put(route)
            )
        }
      })
    )
  },
  {
    what: "a RouteStore that believes reports of older versions",
    contract: RouteStoreContract,
    violates: ["RouteStore-5"],
    layer: altered(
      RouteStore,
      Effect.fnUntraced(function* (original) {
        const { routeStates } = yield* MemoryState
        return {
          ...original,
          report: (app, _, progress) =>
            original.report(app, routeStates.get(app)?.version ?? RouteVersion.make(0), progress)
        }
      })
    )
  },
  {
    what: "a Router that does not compare Fences when it swaps",
    contract: RouterContract,
    violates: ["INV-2", "INV-2", "INV-6"],
    layer: altered(
      Router,
      Effect.fnUntraced(function* (original) {
        const { routes } = yield* MemoryState
        return {
          ...original,
          swap: ({ app, fence, address }) => Effect.sync(() => void routes.set(app, { fence, address }))
        }
      })
    )
  },
  {
    what: "a Router that ends routes under any Fence",
    contract: RouterContract,
    violates: ["Router-3"],
    layer: altered(
      Router,
      Effect.fnUntraced(function* (original) {
        const { routes } = yield* MemoryState
        const remove = (app: Parameters<typeof original.remove>[0], fence: Fence) =>
          original.remove(app, Fence.make(Math.max(fence, routes.get(app)?.fence ?? 0)))
        return { ...original, remove }
      })
    )
  },
  {
    what: "a SecretCipher that does not bind the place",
    contract: SecretCipherContract,
    violates: ["B12"],
    layer: altered(SecretCipher, (original) =>
      Effect.succeed({ seal: (secret) => original.seal(secret, ""), open: (sealed) => original.open(sealed, "") })
    )
  },
  {
    what: "a SecretCipher that seals a secret only once",
    contract: SecretCipherContract,
    violates: ["INV-11"],
    layer: altered(
      SecretCipher,
      Effect.fnUntraced(function* (original) {
        const first = new Map<string, Uint8Array>()
        const seal = Effect.fnUntraced(function* (secret: Parameters<typeof original.seal>[0], place: string) {
          const name = `${place} ${Redacted.value(secret)}`
          const sealed = first.get(name) ?? (yield* original.seal(secret, place))
          first.set(name, sealed)
          return sealed
        })
        return { ...original, seal }
      })
    )
  }
]
