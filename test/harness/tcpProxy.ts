// A TCP proxy in front of a server, which can do what networks do: cut every connection, refuse new ones, or keep them
// open and let nothing through.

import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"

/** A proxy and what may be done to it. */
export interface TcpProxy {
  readonly port: number
  /** Cuts every connection and refuses new ones, until `resume`. */
  readonly drop: Effect.Effect<void>
  /** Takes connections and keeps them, and lets nothing through, until `resume`. */
  readonly stall: Effect.Effect<void>
  /** Lets everything through again, also what was held back. */
  readonly resume: Effect.Effect<void>
  /** How many connections are open. */
  readonly open: () => number
}

interface Pair {
  readonly near: Net.Socket
  readonly far: Net.Socket
}

const join = ({ far, near }: Pair): void => {
  near.pipe(far)
  far.pipe(near)
}

const part = ({ far, near }: Pair): void => {
  near.unpipe(far).pause()
  far.unpipe(near).pause()
}

const listen = async (server: Net.Server, port: number): Promise<number> => {
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** Opens a proxy to an address of this machine; it is closed when the Scope closes. */
export const tcpProxy = Effect.fnUntraced(function* (target: {
  readonly host: string
  readonly port: number
}): Effect.fn.Return<TcpProxy, never, Scope.Scope> {
  const pairs = new Set<Pair>()
  let isStalled = false

  const server = Net.createServer((near) => {
    const pair = { near, far: Net.connect(target) }
    pairs.add(pair)
    for (const socket of [near, pair.far]) {
      socket.on("error", () => socket.destroy())
      socket.once("close", () => {
        pairs.delete(pair)
        near.destroy()
        pair.far.destroy()
      })
    }
    if (isStalled) part(pair)
    else join(pair)
  })

  const cut = () => {
    for (const { near } of pairs) near.destroy()
  }
  const port = yield* Effect.acquireRelease(
    Effect.promise(() => listen(server, 0)),
    () => Effect.sync(() => (server.close(), cut()))
  )
  return {
    port,
    drop: Effect.sync(() => (server.close(), cut())),
    stall: Effect.sync(() => {
      isStalled = true
      pairs.forEach(part)
    }),
    resume: Effect.promise(async () => {
      if (isStalled) pairs.forEach(join)
      isStalled = false
      if (!server.listening) await listen(server, port)
    }),
    open: () => pairs.size
  }
})
