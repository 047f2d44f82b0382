// A TCP proxy in front of PostgreSQL that can cut a connection at the two points where its client cannot know whether what it
// asked for was committed.

import { Effect, Redacted, type Scope } from "effect"
import { postgresWire } from "./postgresWire.ts"
import { type Inspector, type TcpProxy, tcpProxy } from "./tcpProxy.ts"

/**
 * `unsent`: the server never hears of the commit. `unanswered`: it commits, and the client never hears of that. `silent`: the
 * same, and the connection seems to live on.
 */
export type CommitFault = "unsent" | "unanswered" | "silent"

/** The proxy, and where its clients connect. */
export interface PostgresProxy extends TcpProxy {
  readonly url: Redacted.Redacted<string>
  /** Cuts the next connection that commits something, at this point. */
  readonly cutAtCommit: (fault: CommitFault) => Effect.Effect<void>
  /** How many commits were met. */
  readonly cuts: () => number
}

/** Opens a proxy to the server of this URL; it is closed when the Scope closes. */
export const postgresProxy = Effect.fnUntraced(function* (
  to: Redacted.Redacted<string>
): Effect.fn.Return<PostgresProxy, never, Scope.Scope> {
  let armed: CommitFault | undefined
  let cuts = 0

  const inspect = (): Inspector => {
    const wire = postgresWire()
    let struck: CommitFault | undefined
    return {
      up: (part) => {
        if (!wire.asked(part) || armed === undefined) return "pass"
        struck = armed
        armed = undefined
        cuts += 1
        return struck === "unsent" ? "cut" : "pass"
      },
      down: (part) => {
        const isAnswered = wire.answered(part)
        if (struck === undefined) return "pass"
        return struck === "unanswered" && isAnswered ? "cut" : "hold"
      }
    }
  }

  const url = new URL(Redacted.value(to))
  const proxy = yield* tcpProxy({ host: url.hostname, port: Number(url.port) }, inspect)
  url.port = String(proxy.port)
  return {
    ...proxy,
    url: Redacted.make(url.toString()),
    cutAtCommit: (fault) => Effect.sync(() => void (armed = fault)),
    cuts: () => cuts
  }
})
