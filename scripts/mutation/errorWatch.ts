// A passage to a PostgreSQL server that notes which of its answers say that a statement cannot be right: a mutation that
// only breaks the SQL shows nothing about its guard.

import { connect, createServer, type Socket } from "node:net"

/** The passage. `url` leads through it. */
export interface ErrorWatch {
  readonly url: string
  /** What was said since the last call. */
  readonly take: () => ReadonlySet<string>
  readonly close: () => void
}

/** Syntax, unknown or ambiguous names, wrong types, and conflicts that no constraint decides. */
const senseless =
  /\0C(42601|42P01|42P02|42P10|42P18|42702|42703|42704|42803|42804|42809|42830|42846|42883)\0M([^\0]*)\0/g

/** Opens the passage to the server of a URL. */
export const watchErrors = async (server: string): Promise<ErrorWatch> => {
  const target = new URL(server)
  const sockets = new Set<Socket>()
  let seen = new Set<string>()
  const passage = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    upstream.on("data", (chunk) => {
      for (const [, code, message] of chunk.toString("latin1").matchAll(senseless)) seen.add(`${code} ${message}`)
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client]
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on("error", () => other.destroy())
      one.on("close", () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((listening) => passage.listen(0, "127.0.0.1", listening))
  const address = passage.address()
  const url = new URL(server)
  url.port = String(typeof address === "object" ? address?.port : "")
  return {
    url: url.toString(),
    take: () => {
      const taken = seen
      seen = new Set()
      return taken
    },
    close: () => {
      passage.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
