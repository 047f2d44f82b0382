// The server's own directory: its identity and its secrets, each in a file that only this user can read. One server at a
// time uses it; what a killed one left does not stop the next.
import { createHash, randomBytes } from "node:crypto"
import { chmod, link, mkdir, open, readFile, realpath, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import { Effect, Option, Redacted, Schema, type Scope } from "effect"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { Settings } from "./settings.ts"

/** The data directory cannot be used; the message says why and what to do. */
export class DataDirectoryError extends Schema.TaggedError<DataDirectoryError>()("DataDirectoryError", {
  message: Schema.String
}) {}

/** Paths and secrets of the server. */
export interface DataDirectory {
  readonly path: string
  readonly builds: string
  readonly work: string
  readonly replica: ReplicaId
  readonly secretKey: Redacted.Redacted<Uint8Array>
  readonly retiredSecretKeys: ReadonlyArray<Redacted.Redacted<Uint8Array>>
  readonly adminToken: { readonly path: string; readonly token: Redacted.Redacted<string> }
}

/** Opens the data directory, making what is missing, and keeps other servers out until the Scope closes. */
export const openDataDirectory = Effect.fnUntraced(function* (
  settings: Settings
): Effect.fn.Return<DataDirectory, DataDirectoryError, Scope.Scope> {
  const path = resolve(settings.dataDir)
  const inPrivate = (name: string): string => join(path, "private", name)
  yield* attempt(`LOCKKEEPER_DATA_DIR: ${path} cannot be made`, async () => {
    if ((await mkdir(path, { recursive: true, mode: 0o711 })) !== undefined) await chmod(path, 0o711)
    for (const name of ["private", "builds", "work"]) {
      await mkdir(join(path, name), { recursive: true, mode: 0o700 })
      await chmod(join(path, name), 0o700)
    }
  })
  yield* alone(path)
  const replica = yield* kept(inPrivate("replica-id"), () => `replica-${randomBytes(8).toString("hex")}`)
  const token = yield* kept(inPrivate("admin-token"), () => randomBytes(32).toString("base64url"))
  return {
    path,
    builds: join(path, "builds"),
    work: join(path, "work"),
    replica: ReplicaId.make(replica.toString("utf8")),
    ...(yield* secretKeys(settings, path)),
    adminToken: { path: inPrivate("admin-token"), token: Redacted.make(token.toString("utf8")) }
  }
})

/**
 * Two servers with one identity would take each other's work for their own. The name of a socket keeps the second one
 * out, and the kernel gives it back when a server is killed. Linux only: elsewhere nothing is kept out here.
 */
const alone = (path: string) =>
  Effect.acquireRelease(
    attempt(`LOCKKEEPER_DATA_DIR: ${path} is in use by another server; give each its own`, async () => {
      if (process.platform !== "linux") return undefined
      const name = createHash("sha256")
        .update(await realpath(path))
        .digest("hex")
      const socket = createServer().unref()
      const listening = new Promise((done, refused) => socket.once("listening", done).once("error", refused))
      socket.listen({ path: `\0lockkeeper-${name}` })
      await listening
      return socket
    }),
    (socket) => Effect.sync(() => void socket?.close())
  )

const secretKey = Effect.fnUntraced(function* (settings: Settings, path: string) {
  const given = Option.getOrUndefined(settings.secretKeyFile)
  const file = given ?? join(path, "private", "secret.key")
  const isFirstStart = Option.isNone(settings.databaseUrl) && given === undefined && !(yield* exists(join(path, "pg")))
  if (!isFirstStart && !(yield* exists(file))) {
    return yield* new DataDirectoryError({
      message: `LOCKKEEPER_SECRET_KEY_FILE: there is no secret key at ${file}: without it, what is sealed in the database cannot be read. Put the key back, or for a new database make one with: head -c 32 /dev/urandom > ${file} && chmod 600 ${file}`
    })
  }
  const key = yield* kept(file, () => randomBytes(32))
  if (key.byteLength === 32) return key
  return yield* new DataDirectoryError({ message: `LOCKKEEPER_SECRET_KEY_FILE: ${file} must hold exactly 32 bytes` })
})

/** All keys; one that is given twice would be retired and current at the same time. */
const secretKeys = Effect.fnUntraced(function* (settings: Settings, path: string) {
  const keys = [yield* secretKey(settings, path)]
  for (const file of settings.retiredSecretKeyFiles) {
    const name = "LOCKKEEPER_RETIRED_SECRET_KEY_FILES"
    const key = yield* attempt(`${name}: ${file} cannot be read`, () => readFile(file))
    const wrong = key.byteLength !== 32 ? "must hold exactly 32 bytes" : "holds a key that another file holds too"
    if (key.byteLength !== 32 || keys.some((known) => key.equals(known))) {
      return yield* new DataDirectoryError({ message: `${name}: ${file} ${wrong}` })
    }
    keys.push(key)
  }
  const [current, ...retired] = keys
  return {
    secretKey: Redacted.make(new Uint8Array(current ?? [])),
    retiredSecretKeys: retired.map((key) => Redacted.make(new Uint8Array(key)))
  }
})

const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, DataDirectoryError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new DataDirectoryError({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })

const exists = (path: string) =>
  attempt(
    `${path} cannot be looked at`,
    async () =>
      await open(path, "r").then(
        (handle) => handle.close().then(() => true),
        (cause: NodeJS.ErrnoException) => (cause.code === "ENOENT" ? false : Promise.reject(cause))
      )
  )

/** The content of a private file, made whole with `make` when it is missing. Two makers at once agree on one content. */
const kept = (path: string, make: () => string | Uint8Array) =>
  attempt(`${path} cannot be read`, async () => {
    const found = await readFile(path).catch((cause: NodeJS.ErrnoException) =>
      cause.code === "ENOENT" ? undefined : Promise.reject(cause)
    )
    if (found !== undefined) return found
    const fresh = `${path}.${randomBytes(6).toString("hex")}`
    const handle = await open(fresh, "wx", 0o600)
    try {
      await handle.writeFile(make())
      await handle.sync()
      await link(fresh, path).catch((cause: NodeJS.ErrnoException) =>
        cause.code === "EEXIST" ? undefined : Promise.reject(cause)
      )
    } finally {
      await handle.close()
      await rm(fresh, { force: true })
    }
    return readFile(path)
  })
