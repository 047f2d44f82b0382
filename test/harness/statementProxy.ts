// A TCP proxy in front of PostgreSQL that does something to one statement: it is lost before the server hears of it, or its
// answer is, or the server refuses it, or hears of it long after its client gave up.

import { Effect, Redacted, type Scope } from "effect"
import { postgresWire } from "./postgresWire.ts"
import { type Inspector, type TcpProxy, tcpProxy } from "./tcpProxy.ts"

/** What may be done to a statement. The server refuses what it cannot parse. */
type StatementFault = "unsent" | "refused" | "unanswered" | "late"

/**
 * What is done to the first statement that is chosen: by what it says, and by how many came before it since the last one to
 * which something was done.
 */
type Strike = readonly [fault: StatementFault, chosen: (statement: string, before: number) => boolean]

/** The proxy, and where its clients connect. */
export interface StatementProxy extends TcpProxy {
  readonly url: Redacted.Redacted<string>
  /** Does these things, one after the other, and nothing more that it was told before. */
  readonly strike: (...strikes: ReadonlyArray<Strike>) => Effect.Effect<void>
  /** The statements since then. */
  readonly statements: () => ReadonlyArray<string>
  /** Those to which something was done. */
  readonly struck: () => ReadonlyArray<string>
}

/** Opens a proxy to the server of this URL; it is closed when the Scope closes. */
export const statementProxy = Effect.fnUntraced(function* (
  to: Redacted.Redacted<string>
): Effect.fn.Return<StatementProxy, never, Scope.Scope> {
  let armed: ReadonlyArray<Strike> = []
  let statements: Array<string> = []
  let struck: Array<string> = []
  let before = 0

  const inspect = (): Inspector => {
    const found: Array<readonly [StatementFault, string]> = []
    let isUnanswered = false
    const wire = postgresWire((statement) => {
      const [next, ...later] = armed
      statements.push(statement)
      if (next?.[1](statement, before++) !== true) return
      found.push([next[0], statement])
      struck.push(statement)
      armed = later
      before = 0
    })
    return {
      up: (part) => {
        wire.asked(part)
        const [fault, statement] = found.pop() ?? ["none", ""]
        if (fault === "unsent") return "cut"
        if (fault === "late") return "late"
        if (fault === "refused") return spoilt(part, statement)
        isUnanswered ||= fault === "unanswered"
        return "pass"
      },
      down: (part) => {
        const isAnswered = wire.answered(part)
        if (!isUnanswered) return "pass"
        return isAnswered ? "cut" : "hold"
      }
    }
  }

  const url = new URL(Redacted.value(to))
  const proxy = yield* tcpProxy({ host: url.hostname, port: Number(url.port) }, inspect)
  url.port = String(proxy.port)
  return {
    ...proxy,
    url: Redacted.make(url.toString()),
    strike: (...strikes) =>
      Effect.sync(() => {
        armed = strikes
        statements = []
        struck = []
        before = 0
      }),
    statements: () => statements,
    struck: () => struck
  }
})

/** The same bytes, but for the first letter of the statement. */
const spoilt = (part: Buffer, statement: string): Buffer => {
  const bytes = Buffer.from(part)
  bytes.write("!", bytes.indexOf(statement))
  return bytes
}
