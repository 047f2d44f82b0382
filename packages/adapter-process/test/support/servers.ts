// Small servers on the loopback interface: one that answers as it is told, and one that accepts and says nothing.

import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"

const listening = async (server: Net.Server): Promise<number> => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** Starts an HTTP server and answers its origin; what was asked for is in `requests`, in order. */
export const httpServer = (
  answer: (path: string, response: Http.ServerResponse, request: Http.IncomingMessage) => void
): Effect.Effect<{ readonly origin: string; readonly requests: ReadonlyArray<string> }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const requests: Array<string> = []
    const server = Http.createServer((request, response) => {
      requests.push(request.url ?? "")
      answer(request.url ?? "", response, request)
    })
    const port = yield* Effect.acquireRelease(
      Effect.promise(() => listening(server)),
      () => Effect.sync(() => (server.close(), server.closeAllConnections()))
    )
    return { origin: `http://127.0.0.1:${port}`, requests }
  })

/** Starts a server that accepts connections and never says a word. `open` counts the connections that are open. */
export const silentServer: Effect.Effect<{ readonly port: number; readonly open: () => number }, never, Scope.Scope> =
  Effect.gen(function* () {
    const sockets = new Set<Net.Socket>()
    const server = Net.createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket))
      socket.resume()
    })
    const port = yield* Effect.acquireRelease(
      Effect.promise(() => listening(server)),
      () =>
        Effect.sync(() => {
          server.close()
          for (const socket of sockets) socket.destroy()
        })
    )
    return { port, open: () => sockets.size }
  })
