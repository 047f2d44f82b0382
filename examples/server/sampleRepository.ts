// Makes the bundled sample app a real Git repository and serves it on the loopback interface for as long as the Scope
// lasts, as `git http-backend` would; where Git is missing, as an archive with its sum.
import { execFile, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { create } from "tar"
import { Effect } from "effect"

const run = promisify(execFile)
const sampleApp = fileURLToPath(new URL("../sample-app", import.meta.url))
const at = "2026-01-01T00:00:00Z"
const identity = { NAME: "Lockkeeper", EMAIL: "sample@lockkeeper.invalid", DATE: at }

const gitEnvironment = {
  PATH: process.env.PATH,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  ...Object.fromEntries(
    Object.entries(identity).flatMap(([key, value]) => [
      [`GIT_AUTHOR_${key}`, value],
      [`GIT_COMMITTER_${key}`, value]
    ])
  )
}

/** A source that the API takes. */
export type SampleSource =
  | { readonly type: "git"; readonly url: string; readonly ref: string }
  | { readonly type: "archive"; readonly url: string; readonly sha256: string }

/** Serves the sample from a directory of its own, which is made anew, and answers where it is. */
export const serveSample = Effect.fnUntraced(function* (directory: string, image: string) {
  const clear = Effect.promise(() => rm(directory, { recursive: true, force: true }))
  yield* Effect.acquireRelease(
    Effect.andThen(
      clear,
      Effect.promise(() => mkdir(directory, { recursive: true, mode: 0o700 }))
    ),
    () => clear
  )
  const repository = join(directory, "app")
  const hasGit = yield* Effect.promise(() =>
    makeRepository(repository, image)
      .then(() => true)
      .catch(() => false)
  )
  const archive = hasGit ? undefined : yield* Effect.promise(() => makeArchive(repository, image))
  const port = yield* serve((request, response) =>
    archive === undefined ? answerGit(repository, request, response) : response.end(archive.bytes)
  )
  const source: SampleSource =
    archive === undefined
      ? { type: "git", url: `http://127.0.0.1:${port}/app.git`, ref: "main" }
      : { type: "archive", url: `http://127.0.0.1:${port}/app.tar.gz`, sha256: archive.sha256 }
  return source
})

const makeRepository = async (path: string, image: string): Promise<void> => {
  await makeFiles(path, image)
  for (const args of [
    ["init", "-q", "-b", "main"],
    ["add", "-A"],
    ["commit", "-q", "-m", "Say hello"]
  ]) {
    await run("git", args, { cwd: path, env: gitEnvironment })
  }
}

/** The sample's files, with a Dockerfile that begins with the given image. */
const makeFiles = async (path: string, image: string): Promise<void> => {
  await cp(sampleApp, path, { recursive: true })
  const dockerfile = join(path, "Dockerfile")
  await writeFile(dockerfile, (await readFile(dockerfile, "utf8")).replace(/^FROM .*$/m, `FROM ${image}`))
}

const makeArchive = async (files: string, image: string) => {
  await rm(files, { recursive: true, force: true })
  await makeFiles(files, image)
  const path = `${files}.tar.gz`
  await create({ gzip: true, file: path, cwd: files, portable: true }, ["."])
  const bytes = await readFile(path)
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") }
}

const serve = (handle: (request: IncomingMessage, response: ServerResponse) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer(handle)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    (server) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    }
  )

const packetLine = (text: string): string => (text.length + 4).toString(16).padStart(4, "0") + text

const answerGit = (repository: string, request: IncomingMessage, response: ServerResponse): void => {
  const isListing = request.url === "/app.git/info/refs?service=git-upload-pack"
  if (!isListing && request.url !== "/app.git/git-upload-pack") return void response.writeHead(404).end()
  const kind = isListing ? "advertisement" : "result"
  response.writeHead(200, { "content-type": `application/x-git-upload-pack-${kind}`, "cache-control": "no-cache" })
  if (isListing) response.write(`${packetLine("# service=git-upload-pack\n")}0000`)
  const args = ["upload-pack", "--stateless-rpc", ...(isListing ? ["--advertise-refs"] : []), repository]
  const git = spawn("git", args, { env: gitEnvironment, stdio: ["pipe", "pipe", "ignore"] })
  git.on("error", () => response.destroy())
  // Git may be done before everything was sent to it.
  git.stdin.on("error", () => undefined)
  response.once("close", () => git.kill())
  request.pipe(git.stdin)
  git.stdout.pipe(response)
}
