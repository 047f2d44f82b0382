// Packs an app and serves it, as any artifact store would, for as long as a Scope lasts.
import { createHash } from "node:crypto"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ArchiveSource, ArchiveUrl, Sha256 } from "@lockkeeper/core/domain/Source"
import { Effect, type Scope } from "effect"
import { create } from "tar"

/** An archive that can be fetched, and a private directory that is there as long as it. */
export interface ServedArchive {
  readonly source: ArchiveSource
  readonly directory: string
}

/** Serves these files, by their names, on the loopback interface. */
export const servedArchive = Effect.fnUntraced(function* (
  files: Readonly<Record<string, string>>
): Effect.fn.Return<ServedArchive, never, Scope.Scope> {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "lockkeeper-example-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const bytes = yield* Effect.promise(async () => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    await create({ gzip: true, cwd: directory, file: join(directory, "app.tar.gz") }, Object.keys(files))
    return readFile(join(directory, "app.tar.gz"))
  })
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => createServer((_, response) => response.end(bytes)).listen(0, "127.0.0.1")),
    (server) => Effect.sync(() => server.close().closeAllConnections())
  )
  yield* Effect.promise(() => once(server, "listening"))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const source: ArchiveSource = {
    type: "archive",
    url: ArchiveUrl.make(`http://127.0.0.1:${port}/app.tar.gz`),
    sha256: Sha256.make(createHash("sha256").update(bytes).digest("hex"))
  }
  return { source, directory }
})
