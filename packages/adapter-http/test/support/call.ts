// One request to the API, and what the wire showed of the answer.
import { assert, it } from "@effect/vitest"
import { Effect, Logger, type Schema, type Scope } from "effect"
import { connect } from "node:net"
import { type MemoryServerOptions, startServer, tokens } from "./memoryServer.ts"

/** A JSON object. */
export type Fields = Readonly<Record<string, Schema.Json>>

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body, when it is a JSON object. */
  readonly fields: Fields
}

/** What to send besides method and path. */
export interface CallOptions {
  /** JSON, unless it is text or bytes already. */
  readonly body?: unknown
  /** The token; `null` sends none. */
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

const bodyOf = (body: unknown): string | Uint8Array<ArrayBuffer> =>
  typeof body === "string" ? body : body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body)

const fieldsOf = (text: string): Fields => {
  if (!text.startsWith("{")) return {}
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

/** Sends a request without reading the answer's body. */
export const open = (
  baseUrl: string,
  method: string,
  path: string,
  { body, token = tokens.admin, headers = {} }: CallOptions = {}
): Effect.Effect<Response> =>
  Effect.promise((signal) =>
    fetch(`${baseUrl}${path}`, {
      method,
      signal,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      },
      ...(body === undefined ? {} : { body: bodyOf(body) })
    })
  )

/** The client of one server. */
export const clientOf =
  (baseUrl: string) =>
  (method: string, path: string, options: CallOptions = {}): Effect.Effect<Answer> =>
    Effect.gen(function* () {
      const response = yield* open(baseUrl, method, path, options)
      const text = yield* Effect.promise(() => response.text())
      return { status: response.status, headers: response.headers, text, fields: fieldsOf(text) }
    })

/** A server, its client, and its ports. */
export const started = Effect.fnUntraced(function* (options: MemoryServerOptions = {}) {
  const server = yield* startServer(options)
  return { ...server, call: clientOf(server.baseUrl) }
})

/** Sends bytes as they are and answers everything that comes back until the server closes. */
export const raw = (port: number, request: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request))
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk) => chunks.push(chunk))
    socket.on("error", () => socket.destroy())
    socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks).toString())))
    return Effect.sync(() => void socket.destroy())
  })

/** The text at a place of a JSON object. */
export const textAt = (fields: Fields, key: string): string => {
  const value = fields[key]
  assert.isString(value, key)
  return String(value)
}

/** One text of every item of a list. */
export const each = ({ text }: Answer, key: string): ReadonlyArray<string> => {
  const { items }: { readonly items: ReadonlyArray<Fields> } = JSON.parse(text)
  return items.map((item) => textAt(item, key))
}

/** Fails unless the answer is the problem document of this status and code. */
export const assertProblem = (answer: Answer, status: number, code: string): void => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
  const { type, title, detail, requestId } = answer.fields
  assert.strictEqual(answer.fields["status"], status)
  assert.strictEqual(answer.fields["code"], code)
  assert.strictEqual(type, `urn:lockkeeper:problem:${code}`)
  assert.isNotEmpty(title)
  assert.isNotEmpty(detail)
  assert.strictEqual(requestId, answer.headers.get("x-request-id"))
}

/** The App that most tests are about. */
export const archive = { type: "archive", url: "https://archives.example/app.tar.gz", sha256: "5f".repeat(32) }

/** Makes an App of the Tenant `acme` and answers its id. */
export const createApp = (call: ReturnType<typeof clientOf>, fields: Fields = {}): Effect.Effect<string> =>
  Effect.map(
    call("POST", "/v1/apps", { body: { tenant: "acme", name: "web", source: archive, ...fields } }),
    (answer) => textAt(answer.fields, "id")
  )

/** A test in real time over a real connection; the server's log is not shown. */
export const live = <A, E>(name: string, test: () => Effect.Effect<A, E, Scope.Scope>): void =>
  it.live(name, () => Effect.provide(test(), Logger.layer([])))
