// A real SSH server for tests, on a random port of the loopback interface, with host and user keys of its own. Serves
// the user who runs the tests, root included; needs neither PAM nor the system's server.

import { Effect, Redacted, type Scope } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { userInfo } from "node:os"
import * as Path from "node:path"
import { programPath } from "./capability.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

/** A running server. */
export interface Sshd {
  readonly port: number
  /** The `known_hosts` line that pins this server. */
  readonly knownHosts: string
  /** The address of a repository of this machine: `ssh://user@127.0.0.1:port/path`. */
  readonly url: (path: string) => string
  /** A new key pair whose holder may log in; with a repository, only to read that one, whatever is asked for. */
  readonly newKey: (repository?: string) => Redacted.Redacted<string>
  /** A `known_hosts` line for this address with another host's key. */
  readonly wrongKnownHosts: string
  /** The pid of the listening process. */
  readonly pid: number
}

const keyPair = (path: string): { readonly secret: string; readonly open: string } => {
  execFileSync(programPath("ssh-keygen") ?? "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path])
  return { secret: Fs.readFileSync(path, "utf8"), open: Fs.readFileSync(`${path}.pub`, "utf8").trim() }
}

/** A new private key that no server knows. */
export const strangerKey: Effect.Effect<Redacted.Redacted<string>, never, Scope.Scope> = Effect.map(
  temporaryDirectory,
  (directory) => Redacted.make(keyPair(Path.join(directory, "stranger")).secret)
)

const settings = (directory: string, port: number): string =>
  [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${directory}/host`,
    `AuthorizedKeysFile ${directory}/authorized_keys`,
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "StrictModes no",
    "UsePAM no",
    "UseDNS no",
    "PidFile none",
    "MaxStartups 100",
    "LogLevel ERROR"
  ].join("\n")

const freePort = async (): Promise<number> => {
  const server = Net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = Net.connect(port, "127.0.0.1")
    socket.once("data", () => resolve(true)).once("error", () => resolve(false))
    socket.once("data", () => socket.destroy())
  })

const isReady = async (server: ChildProcess, port: number): Promise<boolean> => {
  for (let tries = 0; tries < 200 && server.exitCode === null; tries++) {
    if (await answers(port)) return true
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return false
}

const launch = async (directory: string): Promise<{ readonly server: ChildProcess; readonly port: number }> => {
  // The only place outside of the test's own directory: sshd insists on it when root starts it.
  if (process.getuid?.() === 0) Fs.mkdirSync("/run/sshd", { recursive: true, mode: 0o755 })
  for (let tries = 0; tries < 3; tries++) {
    const port = await freePort()
    Fs.writeFileSync(`${directory}/sshd_config`, settings(directory, port))
    const args = ["-D", "-e", "-f", `${directory}/sshd_config`]
    const server = spawn(programPath("sshd") ?? "/usr/sbin/sshd", args, { stdio: "ignore" })
    if (await isReady(server, port)) return { server, port }
    server.kill("SIGKILL")
  }
  throw new Error("sshd does not start")
}

const stop = async (server: ChildProcess): Promise<void> => {
  if (server.exitCode !== null || server.signalCode !== null) return
  server.kill("SIGKILL")
  await once(server, "exit")
}

/** Starts a server; it is stopped when the Scope closes. */
export const sshd: Effect.Effect<Sshd, never, Scope.Scope> = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const host = keyPair(Path.join(directory, "host"))
  const other = keyPair(Path.join(directory, "other"))
  Fs.writeFileSync(`${directory}/authorized_keys`, "")
  const { port, server } = yield* Effect.acquireRelease(
    Effect.promise(() => launch(directory)),
    ({ server }) => Effect.promise(() => stop(server))
  )

  let keys = 0
  const newKey = (repository?: string): Redacted.Redacted<string> => {
    const key = keyPair(Path.join(directory, `user-${++keys}`))
    const limits = repository === undefined ? "" : `restrict,command="git upload-pack '${repository}'" `
    Fs.appendFileSync(`${directory}/authorized_keys`, `${limits}${key.open}\n`)
    return Redacted.make(key.secret)
  }
  const pin = (open: string): string => `[127.0.0.1]:${port} ${open}`
  return {
    port,
    knownHosts: pin(host.open),
    wrongKnownHosts: pin(other.open),
    url: (path) => `ssh://${userInfo().username}@127.0.0.1:${port}${path}`,
    newKey,
    pid: server.pid ?? 0
  }
})
