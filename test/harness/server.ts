// The reference server as its operator sees it: a process that is started, signalled, killed and started again on what it
// left. Says nothing about what the server does.

import { Effect, Exit, Redacted, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomBytes, randomInt } from "node:crypto"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { clearEngine } from "./engine.ts"
import { eventually } from "./eventually.ts"
import { byFlavour, flavour } from "./flavour.ts"
import { images } from "./images.ts"
import { inSources, type Start, startOf } from "./programs.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

/** What a server keeps from one start to the next, and the settings that it is started with. */
export interface Place {
  readonly directory: string
  readonly dataDir: string
  readonly token: Redacted.Redacted<string>
  readonly env: Readonly<Record<string, string>>
}

/** How a process ended. */
export interface ServerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process of the server, which may not listen yet or any more. */
export interface ServerProcess {
  readonly pid: number
  /** Everything that it has printed, to both outputs. */
  readonly output: () => string
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exited: Effect.Effect<ServerExit>
  readonly hasExited: () => boolean
}

/** A server that listens. */
export interface Server extends ServerProcess {
  readonly url: string
}

/** The path of a program in the repository, and its arguments. */
export type Program = readonly [path: string, ...args: ReadonlyArray<string>]

const root = fileURLToPath(new URL("../..", import.meta.url))

/** How many ports a place has for its Apps. */
const appPorts = 24

const canListen = async (port: number): Promise<boolean> => {
  const server = Net.createServer()
  const listening = new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true))
  })
  if (!(await listening)) return false
  server.close()
  await once(server, "close")
  return true
}

// Below the ports that the system gives away, so that nobody else is led to one of them by chance.
const freeRange = async (): Promise<string> => {
  for (let tries = 0; tries < 50; tries++) {
    const first = randomInt(430, 820) * appPorts
    const ports = Array.from({ length: appPorts }, (_, index) => first + index)
    const free = await Promise.all(ports.map(canListen))
    if (free.every(Boolean)) return `${first}-${first + appPorts - 1}`
  }
  throw new Error("there is no free range of ports")
}

// What is built is read-only, and the database of a killed server still takes a moment to end.
const leave = async (directory: string): Promise<void> => {
  spawnSync("chmod", ["-R", "u+rwX", `${directory}/data/builds`])
  for (let tries = 0; tries < 250 && Fs.existsSync(`${directory}/data/pg/postmaster.pid`); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/**
 * Makes the directory, the key and the settings of a server; everything is removed when the Scope closes. Without a
 * database it has the embedded one. Several places with one database and one `env.LOCKKEEPER_SECRET_KEY_FILE` are
 * replicas.
 */
export const makePlace = Effect.fnUntraced(function* (
  database: Redacted.Redacted<string> | undefined,
  env: Readonly<Record<string, string>> = {}
): Effect.fn.Return<Place, never, Scope.Scope> {
  const directory = yield* temporaryDirectory
  yield* Effect.addFinalizer(() => Effect.promise(() => leave(directory)))
  const [dataDir, temporary, key] = ["data", "tmp", "secret.key"].map((name) => Path.join(directory, name))
  if (dataDir === undefined || temporary === undefined || key === undefined) return yield* Effect.die("no paths")
  Fs.chmodSync(directory, 0o711)
  Fs.mkdirSync(temporary)
  Fs.writeFileSync(key, randomBytes(32), { mode: 0o600 })
  const token = Redacted.make(randomBytes(24).toString("base64url"))
  const ofDatabase = database === undefined ? {} : { DATABASE_URL: Redacted.value(database) }
  const place: Place = {
    directory,
    dataDir,
    token,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: directory,
      TMPDIR: temporary,
      PORT: "0",
      LOCKKEEPER_DATA_DIR: dataDir,
      LOCKKEEPER_APP_PORTS: yield* Effect.promise(freeRange),
      ...byFlavour<Readonly<Record<string, string>>>({
        docker: { LOCKKEEPER_GIT_IMAGE: images.git, LOCKKEEPER_SAMPLE_IMAGE: images.node },
        process: {}
      }),
      LOCKKEEPER_RUNTIME: flavour,
      LOCKKEEPER_TOKENS: `ops:${Redacted.value(token)}=*`,
      ...ofDatabase,
      ...(database === undefined ? {} : { LOCKKEEPER_SECRET_KEY_FILE: key }),
      ...env
    }
  }
  if (flavour === "docker") yield* Effect.addFinalizer(() => Effect.promise(() => clearEngine(place)))
  return place
})

const spawned = (env: Readonly<Record<string, string>>, start: Start, given: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, [...start.args, ...given], {
    cwd: root,
    env: { ...env, ...start.env },
    stdio: ["ignore", "pipe", "pipe"]
  })

const hasExited = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

const exitOf = async (child: ChildProcess): Promise<ServerExit> => {
  if (!hasExited(child)) await once(child, "close")
  return { code: child.exitCode, signal: child.signalCode }
}

/**
 * Starts the server's process and does not wait for anything. What still runs when the Scope closes is killed; after a
 * failure, what it said is shown.
 */
export const launch = (
  env: Readonly<Record<string, string>>,
  [program, ...given]: Program = ["examples/server.ts"],
  from: "bundle" | "sources" = "bundle"
): Effect.Effect<ServerProcess, never, Scope.Scope> =>
  Effect.gen(function* () {
    let output = ""
    const start = yield* Effect.promise(() => startOf(program, from))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawned(env, start, given)),
      (child, exit) =>
        Effect.promise(() => {
          if (Exit.isFailure(exit)) console.error(`the server said:\n${inSources(output.slice(-20_000))}`)
          if (!hasExited(child)) child.kill("SIGKILL")
          return exitOf(child)
        })
    )
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => void (output += text))
    }
    return {
      pid: child.pid ?? 0,
      output: () => output,
      signal: (signal) => Effect.sync(() => void child.kill(signal)),
      exited: Effect.promise(() => exitOf(child)),
      hasExited: () => hasExited(child)
    }
  })

/** Starts a server at a place and waits until it listens. */
export const startServer = Effect.fnUntraced(function* (
  place: Place,
  env: Readonly<Record<string, string>> = {},
  program?: Program,
  from?: "bundle" | "sources"
): Effect.fn.Return<Server, never, Scope.Scope> {
  const server = yield* launch({ ...place.env, ...env }, program, from)
  const listening = () => /^listening on (http:\S+)$/m.exec(server.output())?.[1]
  const look = Effect.sync(() => (server.hasExited() ? "exited" : listening()))
  const seen = yield* eventually("the server listens", look, (seen) => seen !== undefined, "30 seconds")
  if (seen === undefined || seen === "exited") {
    return yield* Effect.die(new Error(`the server did not start: ${server.output()}`))
  }
  return { ...server, url: seen }
})

/** Ends a server with a signal and answers how it ended. */
export const stopServer = (server: ServerProcess, signal: NodeJS.Signals): Effect.Effect<ServerExit> =>
  Effect.andThen(server.signal(signal), server.exited)
