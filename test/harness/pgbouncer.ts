// A PgBouncer in transaction mode in front of the test's PostgreSQL, on a free port of the loopback interface. It refuses to
// run as root, so that it is started as the bundled PostgreSQL is: by an unprivileged user, who alone can read its files.

import { Effect, Redacted, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { freePort } from "../../packages/adapter-postgres/src/internal/freePort.ts"
import { waysToRun } from "../../packages/adapter-postgres/src/internal/runAs.ts"
import { programPath } from "./capability.ts"
import { eventually } from "./eventually.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

/** A running pooler. */
export interface PgBouncer {
  readonly url: Redacted.Redacted<string>
  /** Kills it, as a crash does, and starts it again on the same port. */
  readonly restart: Effect.Effect<void>
}

const settings = (server: URL, directory: string, port: number, poolSize: number): string =>
  [
    "[databases]",
    `* = host=${server.hostname} port=${server.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${directory}/users.txt`,
    "pool_mode = transaction",
    `default_pool_size = ${poolSize}`,
    "max_client_conn = 500",
    "server_login_retry = 1"
  ].join("\n")

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`

const answers = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = Net.connect(port, "127.0.0.1")
    const answer = (is: boolean) => {
      socket.destroy()
      resume(Effect.succeed(is))
    }
    socket.once("connect", () => answer(true)).once("error", () => answer(false))
  })

const stop = async (pooler: ChildProcess | undefined): Promise<void> => {
  if (pooler === undefined || pooler.exitCode !== null || pooler.signalCode !== null) return
  pooler.kill("SIGKILL")
  await once(pooler, "exit")
}

/** Starts one with so many connections to the server of this URL; it is stopped when the Scope closes. */
export const pgbouncer = Effect.fnUntraced(function* (
  to: Redacted.Redacted<string>,
  poolSize: number
): Effect.fn.Return<PgBouncer, never, Scope.Scope> {
  const server = new URL(Redacted.value(to))
  const [directory, port, [runAs]] = [yield* temporaryDirectory, yield* freePort, waysToRun(undefined)]
  const write = (name: string, text: string): string => {
    const path = Path.join(directory, name)
    Fs.writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const config = write("pgbouncer.ini", settings(server, directory, port, poolSize))
  const users = write("users.txt", `${quoted(server.username)} ${quoted(decodeURIComponent(server.password))}\n`)
  if (runAs?.owner !== undefined) {
    for (const path of [directory, config, users]) Fs.chownSync(path, runAs.owner.uid, runAs.owner.gid)
  }

  let pooler: ChildProcess | undefined
  const start = Effect.suspend(() => {
    const program = programPath("pgbouncer") ?? "pgbouncer"
    const [command, args] = runAs?.wrap(program, [config], "TERM") ?? [program, [config]]
    pooler = spawn(command, args, { stdio: "ignore", env: runAs?.env })
    return eventually("PgBouncer takes connections", answers(port), (is) => is)
  })
  const end = Effect.promise(() => stop(pooler))
  yield* Effect.acquireRelease(start, () => end)

  const url = new URL(server)
  url.hostname = "127.0.0.1"
  url.port = String(port)
  return { url: Redacted.make(url.toString()), restart: Effect.asVoid(Effect.andThen(end, start)) }
})
