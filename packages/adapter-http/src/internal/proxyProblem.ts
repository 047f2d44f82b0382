// What the proxy itself answers when no Workload does: problem documents (RFC 9457) that tell nothing of the inside.
import { type ServerResponse, STATUS_CODES } from "node:http"

/** Why no Workload answered. */
export type ProxyProblem = "no_route" | "upstream_unreachable" | "upstream_timeout"

const statusOf: { readonly [Code in ProxyProblem]: readonly [status: number, title: string] } = {
  no_route: [503, "No Route"],
  upstream_unreachable: [502, "Upstream Unreachable"],
  upstream_timeout: [504, "Upstream Timeout"]
}

const documentOf = (code: ProxyProblem) => {
  const [status, title] = statusOf[code]
  const body = JSON.stringify({ type: `urn:lockkeeper:problem:${code}`, title, status, code })
  const headers = {
    "content-type": "application/problem+json",
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": "no-store",
    ...(status === 503 ? { "retry-after": "1" } : {})
  }
  return { status, body, headers }
}

/** Answers a request, and closes its connection if the rest of its body would be left unread. */
export const answerProblem = (response: ServerResponse, code: ProxyProblem): void => {
  const { status, body, headers } = documentOf(code)
  if (!response.req.complete) {
    response.shouldKeepAlive = false
    response.req.unpipe()
    response.req.resume()
  }
  response.writeHead(status, headers).end(body)
}

/** The same answer as it goes over a bare connection, which it closes. */
export const rawProblem = (code: ProxyProblem): string => {
  const { status, body, headers } = documentOf(code)
  const lines = Object.entries({ ...headers, connection: "close" }).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, "", body].join("\r\n")
}
