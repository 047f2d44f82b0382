// Real servers and clients on this machine, for the tests of the proxy and the probe.
import { Address, IpAddress } from "@lockkeeper/core/domain/Workload"
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import { Agent, createServer, type IncomingHttpHeaders, request, type RequestListener, type Server } from "node:http"
import { connect, createServer as createTcpServer, type Server as NetServer } from "node:net"
import type { Duplex } from "node:stream"
import { text } from "node:stream/consumers"

/** An address on this machine. */
export const at = (port: number): Address => Address.make({ host: IpAddress.make("127.0.0.1"), port })

/** The port that a server listens on. */
export const portOf = (server: NetServer): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** A port that nothing listens on. */
export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = createTcpServer()
  server.listen(0, "127.0.0.1", () => {
    const port = portOf(server)
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A server on this machine. */
export interface Upstream {
  readonly server: Server
  readonly address: Address
  /** Ends the server and every connection to it. */
  readonly stop: Effect.Effect<void>
}

/** Starts a server that runs until the end of the scope. */
export const serve = (listener: RequestListener, port = 0): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Upstream>((resume) => {
      const server = createServer(listener)
      const sockets = new Set<Duplex>()
      server.on("connection", (socket) => sockets.add(socket.once("close", () => sockets.delete(socket))))
      const stop = Effect.callback<void>((resume) => {
        if (!server.listening) return resume(Effect.void)
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
      server.listen(port, "127.0.0.1", () => {
        resume(Effect.succeed({ server, address: at(portOf(server)), stop }))
      })
    }),
    ({ stop }) => stop
  )

/** A server that answers with its name. */
export const named = (name: string, port = 0) => serve((_request, response) => void response.end(name), port)

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The client's end of the connection. */
  readonly localPort: number | undefined
}

/** What to send. */
export interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly agent?: Agent
}

/** Sends one request, never twice. */
export const ask = (port: number, options: Ask = {}): Effect.Effect<Answer, Error> =>
  Effect.callback((resume) => {
    const { method = "GET", path = "/", headers = {}, body, agent } = options
    const outgoing = request({ host: "127.0.0.1", port, method, path, headers, agent: agent ?? false })
    outgoing.on("error", (cause) => resume(Effect.fail(cause)))
    outgoing.once("response", (response) => {
      const status = response.statusCode ?? 0
      const { localPort } = response.socket
      text(response).then(
        (body) => resume(Effect.succeed({ status, headers: response.headers, body, localPort })),
        (cause: Error) => resume(Effect.fail(cause))
      )
    })
    outgoing.end(body)
    return Effect.sync(() => void outgoing.destroy())
  })

/** The body of a GET. */
export const bodyOf = (port: number, options: Ask = {}) => Effect.map(ask(port, options), ({ body }) => body)

/** A client that keeps its connections. */
export const keeping: Effect.Effect<Agent, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => new Agent({ keepAlive: true })),
  (agent) => Effect.sync(() => agent.destroy())
)

/** Whether anything accepts connections on a port. */
export const isListening = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

/** Waits until something is so. The runner bounds it. */
export const until = <E, R>(check: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(check, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(10), until(check))))

const acceptOf = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")

/** Makes a server echo the text frames (shorter than 126 bytes) of WebSockets. */
export const echoWebSockets = (server: Server): void => {
  server.on("upgrade", (request, socket: Duplex) => {
    const key = request.headers["sec-websocket-key"] ?? ""
    const lines = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${acceptOf(key)}`]
    socket.write(["HTTP/1.1 101 Switching Protocols", ...lines, "", ""].join("\r\n"))
    socket.on("error", () => socket.destroy())
    socket.on("data", (frame: Buffer) => {
      const opcode = (frame[0] ?? 0) & 0x0f
      const length = (frame[1] ?? 0) & 0x7f
      const mask = frame.subarray(2, 6)
      const payload = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0))
      socket.write(Buffer.concat([Buffer.from([0x80 | opcode, length]), payload]))
      if (opcode === 8) socket.end()
    })
  })
}
