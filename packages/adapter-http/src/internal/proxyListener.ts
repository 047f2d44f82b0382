// One listener on an App's host port. It is opened with the target that it leads to, so that it never answers without.
import { Data, Deferred, Effect } from "effect"
import { createServer } from "node:http"
import { Socket } from "node:net"
import { makeForwarder, type UpstreamLimits } from "./proxyForward.ts"
import { keepAliveSeconds } from "./proxyHeaders.ts"
import type { ProxyProblem } from "./proxyProblem.ts"
import type { Target } from "./proxyTarget.ts"

/** The port could not be listened on. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{ readonly port: number; readonly cause: Error }> {}

/** What all listeners of a proxy share. */
export interface ListenerOptions {
  readonly host: string
  readonly limits: UpstreamLimits
  /** Called when the last connection of a closed listener is over. */
  readonly onChange: () => void
  /** Told why the proxy answered a request by itself. */
  readonly onProblem: (port: number, code: ProxyProblem, cause: unknown) => void
  /** Told what went wrong with an open listener. */
  readonly onError: (port: number, cause: unknown) => void
}

/** An open listener. */
export interface Listener {
  readonly port: number
  /** Leads every request from now on to another target, and returns the one before, which is retired. */
  readonly lead: (target: Target) => Target
  /** Frees the port. Requests in flight go on, idle and upgraded connections end. */
  readonly close: () => void
  /** Ends every connection. */
  readonly destroy: () => void
  /** Ends when the last connection did, after `close`. */
  readonly closed: Effect.Effect<void>
  readonly isClosed: () => boolean
}

// A header must come within half a minute and a body within an hour, so that nobody holds connections for nothing.
const serverOptions = {
  headersTimeout: 30_000,
  requestTimeout: 3_600_000,
  keepAliveTimeout: keepAliveSeconds * 1_000,
  noDelay: true
}

/** Opens a listener. Interruption frees the port. */
export const listen = (port: number, first: Target, options: ListenerOptions): Effect.Effect<Listener, ListenFailed> =>
  Effect.callback((resume) => {
    let target = first
    let isClosing = false
    const upgraded = new Set<Socket>()
    const closed = Deferred.makeUnsafe<void>()
    const { forward, upgrade } = makeForwarder({
      limits: options.limits,
      target: () => (isClosing ? undefined : target),
      onProblem: (code, cause) => options.onProblem(port, code, cause)
    })

    const server = createServer({
      ...serverOptions,
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket"
    })
    server.on("request", (request, response) => {
      if (isClosing) response.shouldKeepAlive = false
      const failed = (cause: unknown) => {
        options.onError(port, cause)
        response.destroy()
      }
      void forward(request, response)
        .catch(failed)
        .finally(() => isClosing && server.closeIdleConnections())
    })
    server.on("upgrade", (request, socket, head) => {
      if (!(socket instanceof Socket)) return void socket.destroy()
      upgraded.add(socket)
      socket.once("close", () => upgraded.delete(socket))
      upgrade(request, socket, head)
    })

    const close = () => {
      if (isClosing) return
      isClosing = true
      target.retire()
      server.close(() => {
        Deferred.doneUnsafe(closed, Effect.void)
        options.onChange()
      })
      server.closeIdleConnections()
      for (const socket of upgraded) socket.destroy()
    }
    const listener: Listener = {
      port,
      lead: (next) => {
        const before = target
        target = next
        before.retire()
        return before
      },
      close,
      destroy: () => server.closeAllConnections(),
      closed: Deferred.await(closed),
      isClosed: () => Deferred.isDoneUnsafe(closed)
    }

    const refuse = (cause: Error) => resume(Effect.fail(new ListenFailed({ port, cause })))
    server.once("error", refuse)
    server.listen({ host: options.host, port, exclusive: true }, () => {
      server.off("error", refuse)
      server.on("error", (cause) => options.onError(port, cause))
      resume(Effect.succeed(listener))
    })
    return Effect.sync(close)
  })
