// Files that go into a container before it starts, and the one that comes out of it after its end. Credentials are written
// through the engine's archive interface, so that they are in no variable, label or argument, and are gone with the container.

import type { PlanNode } from "@lockkeeper/core/domain/Plan"
import { maxResultBytes } from "@lockkeeper/core/domain/StepResult"
import type { ResultFile } from "@lockkeeper/core/domain/Topology"
import type { Credentials } from "@lockkeeper/core/port/Provider"
import type Dockerode from "dockerode"
import { Effect, Redacted } from "effect"
import type { Readable } from "node:stream"
import { Header, Parser } from "tar"
import { call, orAbsent, patience } from "./call.ts"
import * as Containers from "./containers.ts"
import { EngineError, engineError } from "./EngineError.ts"
import type { EngineId } from "./references.ts"

const directory = "/run/lockkeeper"

/** Where a container finds its Credentials. */
export const credentialsDirectory = `${directory}/credentials`

/** Where a step leaves its result file. */
export const resultsDirectory = `${directory}/results`

const blockBytes = 512

const entry = (path: string, mode: number, text?: string): Buffer => {
  const content = Buffer.from(text ?? "", "utf8")
  const header = new Header({
    path: text === undefined ? `${path.slice(1)}/` : path.slice(1),
    mode,
    type: text === undefined ? "Directory" : "File",
    size: content.length,
    uid: 0,
    gid: 0,
    mtime: new Date(0)
  })
  const block = Buffer.alloc(blockBytes)
  header.encode(block)
  return Buffer.concat([block, content, Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes)])
}

/**
 * The archive of what a container is given: the Credentials of its node, readable and not to be changed. Which user reads
 * them is known to the image alone; "all" are those who are in that container anyway.
 */
export const archiveOf = (node: Pick<PlanNode, "credentials">, credentials: Credentials, isStep: boolean): Buffer =>
  Buffer.concat([
    entry(directory, 0o555),
    entry(credentialsDirectory, 0o555),
    ...node.credentials.flatMap((name) => {
      const secret = credentials.get(name)
      return secret === undefined ? [] : [entry(`${credentialsDirectory}/${name}`, 0o444, Redacted.value(secret))]
    }),
    ...(isStep ? [entry(resultsDirectory, 0o777)] : []),
    Buffer.alloc(2 * blockBytes)
  ])

/** Puts an archive into a container that was not started yet. */
export const put = (docker: Dockerode, id: EngineId, archive: Buffer): Effect.Effect<void, EngineError> =>
  Effect.asVoid(
    call("put files", patience.short, (abortSignal) =>
      docker.getContainer(id).putArchive(archive, { path: "/", abortSignal })
    )
  )

/** The result file of a step's container: undefined where there is none, and at most a byte more than may be read. */
export const resultOf = (
  docker: Dockerode,
  id: EngineId,
  file: ResultFile
): Effect.Effect<Uint8Array | undefined, EngineError> =>
  Effect.scoped(
    Effect.flatMap(Containers.files(docker, id, `${resultsDirectory}/${file}`), (stream) =>
      Effect.tryPromise({ try: () => firstFile(stream), catch: (cause) => engineError("files", cause) }).pipe(
        Effect.timeoutOrElse({
          duration: patience.long,
          orElse: () =>
            new EngineError({ operation: "files", reason: "timed_out", detail: "the file was not sent in time" })
        })
      )
    )
  ).pipe(orAbsent)

/** The beginning of the one file of an archive; what is no plain file, such as a link, is none. */
const firstFile = async (stream: Readable): Promise<Uint8Array | undefined> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  let isFile: boolean | undefined
  const parser = new Parser()
  parser.on("entry", (found) => {
    // What follows is in a directory of that name.
    isFile ??= found.type === "File" || found.type === "OldFile"
    found.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk)
      bytes += chunk.length
    })
    found.resume()
  })
  for await (const chunk of stream) {
    parser.write(chunk)
    if (bytes > maxResultBytes || isFile === false) break
  }
  return isFile === true ? Buffer.concat(chunks).subarray(0, maxResultBytes + 1) : undefined
}
