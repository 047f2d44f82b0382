// The sockets and files with which an Artifact is fetched on this machine. Bytes are taken as they are sent: nothing is
// decompressed, nothing is interpreted. What is retried, followed and compared is decided in the core.

import { Sha256 } from "@lockkeeper/core/domain/Source"
import {
  type ArtifactAnswer,
  ArtifactError,
  type ArtifactFile,
  type ArtifactRunner
} from "@lockkeeper/core/port/artifactFetch"
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import { type FileHandle, open, rename } from "node:fs/promises"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Path from "node:path"
import { ownName, privateDirectory, removeDirectory, sweepDirectory } from "./internal/privateDirectory.ts"
import { settled } from "./internal/settled.ts"
import { describeSystemError, errorCode, Refused } from "./internal/systemError.ts"

const idleMillis = 60_000

/**
 * Fetches over http and https into files of this user: 0600, under a name of its own until it is kept, in the directory of
 * the file that it is to be, which is made 0700 and holds nothing of others. What processes that no longer live left in it is
 * removed. A server that says nothing for a minute is `unreachable`.
 */
export const processArtifactRunner: ArtifactRunner = {
  ask: (url) => ask(url),
  draft: (path) => draft(path)
}

const failed = (reason: ArtifactError["reason"], cause: unknown): ArtifactError =>
  new ArtifactError({ reason, detail: describeSystemError(cause) })

const onDisk = <A>(run: () => Promise<A>): Effect.Effect<A, ArtifactError> =>
  settled(run, (cause) => failed("not_written", cause))

const passing = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPIPE",
  "ETIMEDOUT"
])

/** What the network says may be otherwise in a second; what a certificate or a name says will not. */
const notReached = (cause: unknown): ArtifactError =>
  failed(cause instanceof Refused || passing.has(errorCode(cause) ?? "") ? "unreachable" : "refused", cause)

const ask = Effect.fnUntraced(function* (url: URL): Effect.fn.Return<ArtifactAnswer, ArtifactError, Scope.Scope> {
  const { signal: closed } = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort())
  )
  const response = yield* settled((signal) => get(url, AbortSignal.any([signal, closed])), notReached)
  return {
    status: response.statusCode ?? 0,
    location: response.headers.location,
    next: partsOf(response)
  }
})

const get = (url: URL, signal: AbortSignal): Promise<Http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const client = url.protocol === "https:" ? Https : Http
    const headers = { accept: "*/*", "accept-encoding": "identity", "user-agent": "lockkeeper" }
    const request = client.get(url, { agent: false, headers, signal, timeout: idleMillis })
    request.once("response", (response) => resolve(response.on("error", () => undefined)))
    request.once("timeout", () => request.destroy(new Refused(`${url.host} said nothing for a minute`)))
    request.on("error", reject)
  })

const partsOf = (response: Http.IncomingMessage): ArtifactAnswer["next"] => {
  const parts: AsyncIterator<Buffer> = response[Symbol.asyncIterator]()
  const endedEarly = () => new ArtifactError({ reason: "ended_early", detail: "the connection ended early" })
  return settled(async (signal) => {
    const destroy = () => response.destroy()
    signal.addEventListener("abort", destroy, { once: true })
    const { done, value } = await parts.next()
    signal.removeEventListener("abort", destroy)
    return done === true ? undefined : value
  }, endedEarly)
}

const draft = Effect.fnUntraced(function* (path: string): Effect.fn.Return<ArtifactFile, ArtifactError, Scope.Scope> {
  const directory = Path.dirname(path)
  yield* Effect.mapError(privateDirectory(directory), (detail) => new ArtifactError({ reason: "not_written", detail }))
  yield* sweepDirectory(directory)

  const own = Path.join(directory, ownName())
  const handle = yield* Effect.acquireRelease(
    onDisk(() => open(own, "wx", 0o600)),
    (handle) => Effect.andThen(closed(handle), removeDirectory(own))
  )
  const hash = createHash("sha256")
  return {
    write: (bytes) =>
      onDisk(() => handle.writeFile(bytes)).pipe(Effect.tap(() => Effect.sync(() => hash.update(bytes)))),
    sum: Effect.sync(() => Sha256.make(hash.copy().digest("hex"))),
    keep: onDisk(async () => {
      await handle.sync()
      await rename(own, path)
    })
  }
})

const closed = (handle: FileHandle): Effect.Effect<void> => Effect.ignore(Effect.tryPromise(() => handle.close()))
