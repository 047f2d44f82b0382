// A server whose failpoints a test commands: see failpointServer.ts for what runs there.

import { make as makeClient } from "@lockkeeper/adapter-http/Client"
import { Effect, type Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { eventually } from "./eventually.ts"
import type { FailpointOrder } from "./failpointOrder.ts"
import { type Place, startServer } from "./server.ts"
import { type Running, World } from "./world.ts"

/** A server that does at a failpoint what it is told. */
export interface Commanded extends Running {
  /** Tells it what to do from now on, until it is told something else, and waits until it has heard. */
  readonly obey: (order: FailpointOrder) => Effect.Effect<void>
  /** The points that it has reached since then, as `name#n`, in their order. */
  readonly reached: () => ReadonlyArray<string>
}

const linesOf = (file: string): ReadonlyArray<string> =>
  Fs.existsSync(file) ? Fs.readFileSync(file, "utf8").split("\n").slice(0, -1) : []

/** Starts one at the place of the world, or at another one. */
export const startCommanded = Effect.fnUntraced(function* (
  given?: Place
): Effect.fn.Return<Commanded, never, World | Scope.Scope> {
  return yield* startCommandedAt(given ?? (yield* World).place)
})

/** Starts one at a place. Its leases are those of any server, unless their time is given. */
export const startCommandedAt = Effect.fnUntraced(function* (
  place: Place,
  leaseMillis?: number
): Effect.fn.Return<Commanded, never, Scope.Scope> {
  const orders = Path.join(place.directory, "orders")
  const reached = Path.join(place.directory, "reached")
  const leases = leaseMillis === undefined ? [] : [String(leaseMillis)]
  const server = yield* startServer(place, {}, ["test/harness/failpointServer.ts", orders, reached, ...leases])
  const client = yield* makeClient({ baseUrl: server.url, token: place.token })
  const obey = (order: FailpointOrder) =>
    Effect.gen(function* () {
      Fs.writeFileSync(orders, JSON.stringify(order))
      Fs.writeFileSync(reached, "")
      yield* server.signal("SIGUSR2")
      const heard = Effect.sync(() => linesOf(reached).includes("obeying"))
      yield* eventually("the server obeys", heard, (is) => is, "5 seconds")
    })
  return { ...server, place, client, obey, reached: () => linesOf(reached).filter((line) => line !== "obeying") }
})
