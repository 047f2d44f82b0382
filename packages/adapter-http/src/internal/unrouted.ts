// What is answered where no route is: which paths and methods there are is nobody's business without a token.
import { Redacted } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { Api } from "../api/Api.ts"
import type { Tokens } from "../Tokens.ts"

const served = [
  ...Object.values(Api.groups).flatMap((group) =>
    Object.values(group.endpoints).map(({ method, path }) => ({ method: String(method), path }))
  ),
  ...["/metrics", "/openapi.json", "/docs"].map((path) => ({ method: "GET", path }))
].map(({ method, path }) => ({
  methods: method === "GET" ? ["GET", "HEAD"] : [method],
  pattern: new RegExp(`^${path.replaceAll(".", "\\.").replace(/:\w+/g, "[^/]+")}$`)
}))

/** A path as the router sees it: without query, repeated and trailing slashes. */
export const pathOf = (request: HttpServerRequest.HttpServerRequest): string =>
  (request.url.split("?", 1)[0] ?? "").replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "")

/** The bearer token of a request; empty without one. */
export const tokenOf = (request: HttpServerRequest.HttpServerRequest): Redacted.Redacted<string> =>
  Redacted.make(/^bearer +(.+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "")

/** Whether a route takes the request. */
export const isServed = (request: HttpServerRequest.HttpServerRequest): boolean =>
  served.some(({ methods, pattern }) => methods.includes(request.method) && pattern.test(pathOf(request)))

/** 401 below `/v1` without a known token, 405 with `Allow` where other methods are taken, else 404. */
export const unrouted = (
  request: HttpServerRequest.HttpServerRequest,
  tokens: typeof Tokens.Service
): HttpServerResponse.HttpServerResponse => {
  const path = pathOf(request)
  if (/^\/v1(\/|$)/.test(path) && tokens.find(tokenOf(request)) === undefined) {
    return HttpServerResponse.empty({ status: 401 })
  }
  const allowed = served.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods)
  return allowed.length === 0 || allowed.includes(request.method)
    ? HttpServerResponse.empty({ status: 404 })
    : HttpServerResponse.empty({ status: 405, headers: { allow: [...new Set(allowed)].sort().join(", ") } })
}
