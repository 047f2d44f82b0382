// Downloads one file over http or https into a file, with its SHA-256 taken on the way. Bytes are taken as they are
// sent: nothing is decompressed, nothing is interpreted.

import { SourceError } from "@lockkeeper/core/port/SourceFetcher"
import { Effect, Schedule } from "effect"
import { createHash } from "node:crypto"
import { open } from "node:fs/promises"
import * as Http from "node:http"
import * as Https from "node:https"
import { settled } from "./settled.ts"
import { describeSystemError, Refused } from "./systemError.ts"

/** What to download, to where, and how much at most. */
export interface DownloadRequest {
  readonly url: string
  readonly file: string
  readonly limitBytes: number
}

const redirectLimit = 5
const idleMillis = 60_000
const tries = 3

// A failed try, and whether another one may help.
class Failed extends Error {
  readonly error: SourceError
  readonly again: boolean
  constructor(reason: SourceError["reason"], detail: string, again: boolean) {
    super(detail)
    this.error = new SourceError({ reason, detail })
    this.again = again
  }
}

/** Answers the SHA-256 of the whole file in lower-case hexadecimal. Up to three tries; an interruption closes the socket. */
export const download = (request: DownloadRequest): Effect.Effect<string, SourceError> =>
  settled((signal) => attempt(request, signal), toFailed).pipe(
    Effect.retry({
      while: ({ again }) => again,
      times: tries - 1,
      schedule: Schedule.jittered(Schedule.exponential("200 millis"))
    }),
    Effect.mapError(({ error }) => error)
  )

const toFailed = (cause: unknown): Failed =>
  cause instanceof Failed
    ? cause
    : new Failed("source_unreachable", `the archive could not be downloaded: ${describeSystemError(cause)}`, false)

const attempt = async (request: DownloadRequest, signal: AbortSignal): Promise<string> => {
  const file = await open(request.file, "w", 0o600)
  try {
    const response = await follow(new URL(request.url), signal)
    const hash = createHash("sha256")
    let bytes = 0
    for await (const chunk of bodyOf(response)) {
      bytes += chunk.length
      if (bytes > request.limitBytes) {
        throw new Failed("no_build_file", `the archive is larger than ${request.limitBytes} bytes`, false)
      }
      hash.update(chunk)
      await file.writeFile(chunk)
    }
    return hash.digest("hex")
  } finally {
    await file.close()
  }
}

async function* bodyOf(response: Http.IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response) yield chunk
  } catch {
    throw new Failed("checksum_mismatch", "the download of the archive ended early", true)
  }
}

const follow = async (first: URL, signal: AbortSignal): Promise<Http.IncomingMessage> => {
  let url = first
  for (let redirects = 0; ; redirects++) {
    const response = await get(url, signal)
    const status = response.statusCode ?? 0
    if (status === 200) return response
    response.destroy()
    if (![301, 302, 303, 307, 308].includes(status)) throw refusedBy(url, status)
    if (redirects === redirectLimit) throw unreachable(`there were more than ${redirectLimit} redirects`)
    url = targetOf(url, response.headers.location)
  }
}

const unreachable = (problem: string, again = false): Failed =>
  new Failed("source_unreachable", `the archive could not be downloaded: ${problem}`, again)

const refusedBy = (url: URL, status: number): Failed =>
  status === 401 || status === 403
    ? new Failed("auth_failed", `${url.host} refused the archive with status ${status}`, false)
    : unreachable(`${url.host} answered with status ${status}`, [502, 503, 504].includes(status))

const targetOf = (from: URL, location: string | undefined): URL => {
  const target = location === undefined ? null : URL.parse(location, from.href)
  if (target === null) throw unreachable(`${from.host} redirects to nowhere`)
  if (target.protocol !== from.protocol) throw unreachable(`${from.host} redirects to another scheme`)
  if (target.username !== "" || target.password !== "") throw unreachable(`${from.host} redirects with credentials`)
  return target
}

const get = (url: URL, signal: AbortSignal): Promise<Http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const client = url.protocol === "https:" ? Https : Http
    const headers = { accept: "*/*", "accept-encoding": "identity", "user-agent": "lockkeeper" }
    const request = client.get(url, { agent: false, headers, signal, timeout: idleMillis })
    request.once("response", resolve)
    request.once("timeout", () => request.destroy(new Refused(`${url.host} said nothing for a minute`)))
    request.on("error", (error) => reject(unreachable(describeSystemError(error), true)))
  })
