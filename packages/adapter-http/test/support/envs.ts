// An App on a server of its own, and what to do with its Env over the wire.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, assertProblem, type CallOptions, createApp, started } from "./call.ts"
import type { MemoryServerOptions } from "./memoryServer.ts"

/** What to send besides the variables. */
export interface EnvOptions extends CallOptions {
  readonly query?: string
  /** The ETag to send as `If-Match`; the header is left out without it. */
  readonly ifMatch?: string | undefined
}

/** A server with one App. */
export const withEnv = Effect.fnUntraced(function* (options: MemoryServerOptions = {}) {
  const { call, ports } = yield* started(options)
  const id = yield* createApp(call)
  const path = `/v1/apps/${id}/env`
  const send =
    (method: string) =>
    (env: unknown, { ifMatch, query = "", ...rest }: EnvOptions = {}) =>
      call(method, `${path}${query}`, {
        body: { env },
        ...rest,
        headers: { ...rest.headers, ...(ifMatch === undefined ? {} : { "if-match": ifMatch }) }
      })
  const read = (query = "") => call("GET", `${path}${query}`)
  const revealed = Effect.map(read("?reveal=true"), ({ fields }) => fields["env"])
  const revision = Effect.map(read(), ({ fields }) => fields["revision"])
  return { call, id, path, patch: send("PATCH"), ports, put: send("PUT"), read, revealed, revision }
})

/** Fails unless the answer is 400 with this code, and names this key. */
export const assertKey = (answer: Answer, code: string, key: string): void => {
  assertProblem(answer, 400, code)
  assert.strictEqual(answer.fields["key"], key)
}
