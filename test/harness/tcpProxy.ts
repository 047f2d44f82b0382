// A TCP proxy in front of a server, which can do what networks do: cut every connection, refuse new ones, keep them open and
// let nothing through, lose one half of a connection, or cut one at a point that depends on what goes through it.

import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import { Transform } from "node:stream"

/** A proxy and what may be done to it. */
export interface TcpProxy {
  readonly port: number
  /** Cuts every connection and refuses new ones, until `resume`. */
  readonly drop: Effect.Effect<void>
  /** Takes connections and keeps them, and lets nothing through, until `resume`. */
  readonly stall: Effect.Effect<void>
  /** Lets everything through again, also what was held back. */
  readonly resume: Effect.Effect<void>
  /** Cuts the half of every connection that leads to this side; the other side is not told. */
  readonly halve: (gone: "client" | "server") => Effect.Effect<void>
  /** Cuts off whoever sent what was kept, sends it, waits until the server says something, and answers how much it was. */
  readonly deliver: Effect.Effect<number>
  /** How many connections are open. */
  readonly open: () => number
}

/**
 * What is done with a part of what one side sends; bytes are sent in its place. `late`: it and all that follows is kept, and
 * the part alone is sent when that is asked for, though the client may be gone by then.
 */
type Verdict = "pass" | "hold" | "cut" | "late" | Buffer

/** Looks at what goes through one connection, in either direction. */
export interface Inspector {
  readonly up: (part: Buffer) => Verdict
  readonly down: (part: Buffer) => Verdict
}

interface Pair {
  readonly near: Net.Socket
  readonly far: Net.Socket
  readonly up: Transform
  readonly down: Transform
  isHalved: boolean
}

const join = ({ down, far, near, up }: Pair): void => {
  near.pipe(up).pipe(far)
  far.pipe(down).pipe(near)
}

const part = ({ down, far, near, up }: Pair): void => {
  near.unpipe(up).pause()
  far.unpipe(down).pause()
}

const inspected = (verdict: (part: Buffer) => Verdict, cut: () => void, keep: (part: Buffer) => void): Transform =>
  new Transform({
    transform: (bytes: Buffer, _encoding, done) => {
      const found = verdict(bytes)
      if (found === "pass") return done(null, bytes)
      if (Buffer.isBuffer(found)) return done(null, found)
      if (found === "cut") cut()
      if (found === "late") keep(Buffer.from(bytes))
      done()
    }
  })

const listen = async (server: Net.Server, port: number): Promise<number> => {
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

const passAll = (): Inspector => ({ up: () => "pass", down: () => "pass" })

/** Opens a proxy to an address of this machine; it is closed when the Scope closes. */
export const tcpProxy = Effect.fnUntraced(function* (
  target: { readonly host: string; readonly port: number },
  inspect: () => Inspector = passAll
): Effect.fn.Return<TcpProxy, never, Scope.Scope> {
  const pairs = new Set<Pair>()
  const kept: Array<() => Promise<unknown>> = []
  let isStalled = false

  const server = Net.createServer((near) => {
    const far = Net.connect(target)
    const { down, up } = inspect()
    const end = () => {
      near.destroy()
      far.destroy()
    }
    const keep = (part: Buffer) => {
      pair.isHalved = true
      near.unpipe(pair.up)
      kept.push(() => {
        far.unpipe(pair.down)
        near.destroy()
        const heard = Promise.race([once(far, "data"), once(far, "close")])
        far.write(part)
        far.resume()
        return heard
      })
    }
    const pair: Pair = { near, far, up: inspected(up, end, keep), down: inspected(down, end, keep), isHalved: false }
    pairs.add(pair)
    for (const socket of [near, far]) {
      socket.on("error", () => socket.destroy())
      socket.once("close", () => {
        if (!pair.isHalved || (near.destroyed && far.destroyed)) pairs.delete(pair)
        if (!pair.isHalved) end()
      })
    }
    if (isStalled) part(pair)
    else join(pair)
  })

  const cut = () => {
    for (const { far, near } of pairs) {
      near.destroy()
      far.destroy()
    }
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
    halve: (gone) =>
      Effect.sync(() => {
        for (const pair of pairs) {
          pair.isHalved = true
          part(pair)
          if (gone === "client") pair.near.destroy()
          else pair.far.destroy()
        }
      }),
    deliver: Effect.promise(async () => (await Promise.all(kept.splice(0).map((send) => send()))).length),
    open: () => pairs.size
  }
})
