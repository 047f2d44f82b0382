// Serves archives of made-up trees on the loopback interface, at once or only when it is told to.

import { Effect, type Scope } from "effect"
import { ArchiveUrl, Sha256, type ArchiveSource } from "@lockkeeper/core/domain/Source"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import * as Fs from "node:fs/promises"
import * as Http from "node:http"
import * as Path from "node:path"
import { promisify } from "node:util"
import { temporaryDirectory } from "./temporaryDirectory.ts"

/** The files of a tree, by path. */
export type Files = Readonly<Record<string, string>>

/** A server of archives. */
export interface ArchiveServer {
  /** Packs the files and answers the Source that fetches them. */
  readonly source: (files: Files) => Effect.Effect<ArchiveSource>
  /** The same, but half of the archive is only sent when it is let go. */
  readonly heldSource: (files: Files) => Effect.Effect<ArchiveSource>
  /** How many archives are being held back from somebody who asked. */
  readonly held: () => number
  /** Sends what is held back, and holds nothing any more. */
  readonly letGo: Effect.Effect<void>
}

const run = promisify(execFile)

const pack = async (directory: string, files: Files): Promise<Buffer> => {
  const tree = await Fs.mkdtemp(Path.join(directory, "tree-"))
  for (const [name, text] of Object.entries(files)) {
    await Fs.mkdir(Path.dirname(Path.join(tree, name)), { recursive: true })
    await Fs.writeFile(Path.join(tree, name), text)
  }
  const { stdout } = await run("tar", ["-czf", "-", "-C", tree, "."], { encoding: "buffer", maxBuffer: 2 ** 28 })
  await Fs.rm(tree, { recursive: true })
  return stdout
}

/** Starts a server of archives; it is closed when the Scope closes. */
export const archiveServer: Effect.Effect<ArchiveServer, never, Scope.Scope> = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const archives = new Map<string, Buffer>()
  const held = new Map<Http.ServerResponse, Buffer>()
  let holds = true

  const server = Http.createServer((request, response) => {
    const [, mode = "", name = ""] = (request.url ?? "").split("/")
    const archive = archives.get(name)
    if (archive === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { "content-length": archive.byteLength })
    if (mode !== "held" || !holds) return void response.end(archive)
    const half = archive.byteLength / 2
    response.write(archive.subarray(0, half))
    held.set(response, archive.subarray(half))
    response.once("close", () => held.delete(response))
  })
  const port = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    }),
    () => Effect.sync(() => (server.close(), server.closeAllConnections()))
  )

  const offer = Effect.fnUntraced(function* (mode: string, files: Files) {
    const archive = yield* Effect.promise(() => pack(directory, files))
    const sha256 = createHash("sha256").update(archive).digest("hex")
    archives.set(`${sha256}.tar.gz`, archive)
    const url = ArchiveUrl.make(`http://127.0.0.1:${port}/${mode}/${sha256}.tar.gz`)
    const source: ArchiveSource = { type: "archive", url, sha256: Sha256.make(sha256) }
    return source
  })
  return {
    source: (files) => offer("sent", files),
    heldSource: (files) => offer("held", files),
    held: () => held.size,
    letGo: Effect.sync(() => {
      holds = false
      for (const [response, rest] of held) response.end(rest)
    })
  }
})
