// Which headers pass between a client and a Workload. Hop-by-hop ones (RFC 9110, 7.6.1) belong to one connection, and
// what a client says about where it comes from is not believed.
import type { IncomingMessage, ServerResponse } from "node:http"

const hopByHop = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer"
]

const claims = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-real-ip"
]

const namedByConnection = (message: IncomingMessage): ReadonlyArray<string> =>
  (message.headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase())

// The library frames bodies by it, on both sides.
const framing = new Set(["transfer-encoding", "content-length", "host"])

const drop = (message: IncomingMessage, names: ReadonlyArray<string>): void => {
  for (const name of names) if (!framing.has(name)) delete message.headers[name]
}

/** How long an idle connection of a client is kept. Longer than clients and balancers keep theirs by default. */
export const keepAliveSeconds = 65

/** Makes the headers of a request those that the Workload is to see. */
export const prepareRequest = (request: IncomingMessage, kind: "request" | "websocket"): void => {
  const { headers, socket } = request
  drop(
    request,
    [...namedByConnection(request), ...hopByHop, ...claims, "expect"].filter((name) => name !== "upgrade")
  )
  if (kind === "websocket") headers.connection = "Upgrade"
  else delete headers.upgrade
  if (socket.remoteAddress !== undefined) headers["x-forwarded-for"] = socket.remoteAddress
  if (headers.host !== undefined) headers["x-forwarded-host"] = headers.host
  headers["x-forwarded-proto"] = "http"
}

/** Makes the headers of an answer those that the client is to see: its connection goes on whatever the Workload's does. */
export const prepareResponse = (upstream: IncomingMessage, response: ServerResponse): void => {
  drop(upstream, [...namedByConnection(upstream), ...hopByHop, "upgrade"])
  upstream.headers.connection = response.shouldKeepAlive ? "keep-alive" : "close"
  if (response.shouldKeepAlive) upstream.headers["keep-alive"] = `timeout=${keepAliveSeconds}`
}
