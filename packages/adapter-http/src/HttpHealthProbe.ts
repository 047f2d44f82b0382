// Asks a Workload over HTTP or TCP whether it serves. What it answers besides the status is not read.
import type { HealthCheck } from "@lockkeeper/core/domain/HealthCheck"
import type { Address } from "@lockkeeper/core/domain/Workload"
import { HealthProbe, Unhealthy } from "@lockkeeper/core/port/HealthProbe"
import { Effect, Layer } from "effect"
import { request } from "node:http"
import { connect } from "node:net"

const shortestLimit = 5_000

/** One try may take 5 s, or the interval if that is longer, and never longer than the whole check. */
const limitOf = ({ intervalMillis, timeoutSeconds }: HealthCheck): number =>
  Math.min(Math.max(shortestLimit, intervalMillis), timeoutSeconds * 1_000)

const codeOf = (cause: Error): string => ("code" in cause && typeof cause.code === "string" ? cause.code : cause.name)

const detailOf = (cause: Error): string => {
  const code = codeOf(cause)
  if (code === "ECONNREFUSED") return "the connection was refused"
  if (code === "ECONNRESET") return "the connection was closed without an answer"
  if (code.startsWith("HPE_")) return `what answered is not HTTP (${code})`
  return `there was no connection (${code})`
}

const unhealthy = (detail: string) => Effect.fail(new Unhealthy({ detail }))

const get = ({ host, port }: Address, path: string): Effect.Effect<void, Unhealthy> =>
  Effect.callback((resume) => {
    const headers = { accept: "*/*", "user-agent": "lockkeeper-health" }
    const outgoing = request({ host, port, path, headers, agent: false })
    outgoing.on("error", (cause) => resume(unhealthy(detailOf(cause))))
    outgoing.once("response", (response) => {
      const status = response.statusCode ?? 0
      resume(status >= 200 && status < 400 ? Effect.void : unhealthy(`GET ${path} answered ${status}`))
      outgoing.destroy()
    })
    outgoing.once("upgrade", (_response, socket) => {
      resume(unhealthy(`GET ${path} answered 101`))
      socket.destroy()
    })
    outgoing.end()
    return Effect.sync(() => void outgoing.destroy())
  })

const open = ({ host, port }: Address): Effect.Effect<void, Unhealthy> =>
  Effect.callback((resume) => {
    const socket = connect({ host, port })
    socket.on("error", (cause) => resume(unhealthy(detailOf(cause))))
    socket.once("connect", () => {
      resume(Effect.void)
      socket.destroy()
    })
    return Effect.sync(() => void socket.destroy())
  })

/**
 * Makes a HealthProbe: with a path, a GET whose status must be 2xx or 3xx (redirects are not followed); without, a TCP
 * connection. A try takes at most 5 s or the check's interval, whichever is longer, within the check's timeout.
 */
export const make = (): HealthProbe["Service"] =>
  HealthProbe.of({
    probe: Effect.fn("HealthProbe.probe")((address: Address, check: HealthCheck): Effect.Effect<void, Unhealthy> => {
      const limit = limitOf(check)
      const asked = check.path === undefined ? open(address) : get(address, check.path)
      return Effect.timeoutOrElse(asked, {
        duration: limit,
        orElse: () => unhealthy(`there was no answer within ${limit} ms`)
      })
    })
  })

/** Provides {@link make}. */
export const layer: Layer.Layer<HealthProbe> = Layer.sync(HealthProbe, make)
