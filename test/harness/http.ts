// Plain HTTP, as any client speaks it: what goes over the wire is what is tested.

import { Effect, Redacted } from "effect"
import type { Place } from "./server.ts"

/** What is sent. A body that is not a text is sent as JSON. */
export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Another token than that of the place; null sends none. */
  readonly token?: string | null
}

/** What came back. `fields` is the JSON object in it, empty where there is none. */
export interface Received {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>>
}

const fieldsOf = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Calls a server that runs at a place, with the token of the place unless another one or none is asked for. */
export const call = Effect.fnUntraced(function* (
  server: { readonly url: string; readonly place: Place },
  path: string,
  { body, headers, method, token }: Sent = {}
): Effect.fn.Return<Received> {
  const bearer = token === undefined ? Redacted.value(server.place.token) : token
  const response = yield* Effect.promise((signal) =>
    fetch(`${server.url}${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      signal
    })
  )
  const text = yield* Effect.promise(() => response.text())
  return { status: response.status, headers: response.headers, text, fields: fieldsOf(text) }
})
