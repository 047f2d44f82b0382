// Leads one request, or one WebSocket, to a Workload. httpxy moves the bytes; what is here is what to do when the
// Workload does not answer: a second try where that is safe, else a problem document.
import { createProxyServer } from "httpxy"
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { prepareRequest, prepareResponse } from "./proxyHeaders.ts"
import { answerProblem, type ProxyProblem, rawProblem } from "./proxyProblem.ts"
import type { Target } from "./proxyTarget.ts"

/** How long a Workload may take, in milliseconds. */
export interface UpstreamLimits {
  /** To take a connection. */
  readonly connect: number
  /** Without a byte in either direction, until the headers of its answer. Nothing limits the answer after that. */
  readonly headers: number
}

/** What a forwarder works with. */
export interface Forwarding {
  readonly limits: UpstreamLimits
  /** Where requests go at this moment. */
  readonly target: () => Target | undefined
  /** Told why the proxy answered by itself. */
  readonly onProblem: (code: ProxyProblem, cause: unknown) => void
}

class UpstreamTimeout extends Error {}

interface Failure {
  readonly cause: unknown
  readonly isRepeatable: boolean
}

const problemOf = (cause: unknown): ProxyProblem =>
  cause instanceof UpstreamTimeout ? "upstream_timeout" : "upstream_unreachable"

const isRefused = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED"

const limit = (outgoing: ClientRequest, { connect, headers }: UpstreamLimits): void => {
  const expire = () => outgoing.destroy(new UpstreamTimeout())
  const connecting = setTimeout(expire, connect)
  const connected = () => clearTimeout(connecting)
  const watch = (socket: Socket) => (socket.connecting ? socket.once("connect", connected) : connected())
  if (outgoing.socket === null) outgoing.once("socket", watch)
  else watch(outgoing.socket)
  outgoing.once("close", connected)
  outgoing.setTimeout(headers, expire)
  outgoing.once("response", () => outgoing.setTimeout(0))
  outgoing.once("upgrade", () => outgoing.setTimeout(0))
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

const isIdempotent = (request: IncomingMessage): boolean =>
  (request.method === "GET" || request.method === "HEAD") && !hasBody(request)

const refuse = (socket: Socket, code: ProxyProblem): void => {
  socket.write(rawProblem(code))
  socket.destroySoon()
}

/** Makes what answers requests. */
export const makeForwarder = ({ limits, target, onProblem }: Forwarding) => {
  const attempt = async (
    { address }: Target,
    agent: Target["agent"] | false,
    request: IncomingMessage,
    response: ServerResponse
  ): Promise<Failure | undefined> => {
    const proxy = createProxyServer({ target: address, agent })
    let outgoing: ClientRequest | undefined
    proxy.once("proxyReq", (created) => {
      outgoing = created
      limit(created, limits)
    })
    proxy.once("proxyRes", (upstream) => {
      if (target() === undefined) response.shouldKeepAlive = false
      prepareResponse(upstream, response)
    })
    try {
      await proxy.web(request, response)
      return undefined
    } catch (cause) {
      return { cause, isRepeatable: isRefused(cause) || outgoing?.reusedSocket === true }
    }
  }

  // A kept connection may be closed by the Workload just when it is used again, so only what can be repeated uses one.
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isSafe = isIdempotent(request)
    prepareRequest(request, "request")
    let failure: Failure | undefined
    for (const mayRepeat of [isSafe, false]) {
      const current = target()
      if (current === undefined) return void answer(response, "no_route", undefined)
      const leave = current.enter()
      failure = await attempt(current, mayRepeat ? current.agent : false, request, response)
      leave()
      const isOver = failure === undefined || response.destroyed || response.headersSent
      if (isOver || !mayRepeat || failure?.isRepeatable !== true) break
    }
    if (failure !== undefined) answer(response, problemOf(failure.cause), failure.cause)
  }

  const answer = (response: ServerResponse, code: ProxyProblem, cause: unknown): void => {
    if (response.destroyed) return
    if (response.headersSent) return void response.destroy()
    onProblem(code, cause)
    answerProblem(response, code)
  }

  const upgrade = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    const current = target()
    if (current === undefined) {
      socket.on("error", () => socket.destroy())
      return refuse(socket, "no_route")
    }
    // A WebSocket is answered when it is open: from then on it does not hold up a drain.
    const leave = current.enter()
    socket.once("close", leave)
    prepareRequest(request, "websocket")
    const proxy = createProxyServer({ target: current.address, agent: false })
    let isAnswered = false
    proxy.once("proxyReqWs", (outgoing) => {
      limit(outgoing, limits)
      outgoing.once("response", () => (isAnswered = true))
      socket.once("close", () => outgoing.destroy())
    })
    proxy.once("open", (upstream) => {
      isAnswered = true
      leave()
      socket.once("close", () => upstream.destroy())
      upstream.once("close", () => socket.destroySoon())
    })
    proxy.on("error", (cause) => {
      if (isAnswered || !socket.writable) return
      onProblem(problemOf(cause), cause)
      refuse(socket, problemOf(cause))
    })
    void proxy.ws(request, socket, {}, head)
  }

  return { forward, upgrade }
}
