// An engine of its own, in a network of its own and on a small disk of its own, that may be filled, killed and started again.
// Needs root, as every engine does. What a second engine in the network of the host would do to the first is not wanted.

import Dockerode from "dockerode"
import { Effect, type Scope } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { pipeline } from "node:stream/promises"
import { eventually } from "../../../../test/harness/eventually.ts"
import { images } from "../../../../test/harness/images.ts"
import { temporaryDirectory } from "../../../../test/harness/temporaryDirectory.ts"
import { docker as machine } from "../../../../test/harness/engine.ts"

/** The engine and what may be done to it. */
export interface PrivateEngine {
  /** Where it listens, as the options of the adapter take it. */
  readonly engine: string
  readonly docker: Dockerode
  /** Kills it as the kernel might, with its containers' supervisor. */
  readonly kill: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  /** How many bytes of its disk are in use. */
  readonly usedBytes: () => number
}

const run = (program: string, ...args: ReadonlyArray<string>) => execFileSync(program, args, { stdio: "pipe" })

/** Mounts a disk of this size below a directory. */
const smallDisk = (directory: string, mebibytes: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const [file, mount] = [Path.join(directory, "disk"), Path.join(directory, "mount")]
      Fs.mkdirSync(mount)
      Fs.writeFileSync(file, "")
      Fs.truncateSync(file, mebibytes * 1024 ** 2)
      run("mkfs.ext4", "-q", file)
      run("mount", "-o", "loop", file, mount)
      return mount
    }),
    (mount) => Effect.sync(() => void run("umount", "--lazy", mount))
  )

/** Starts it with the small image that tests begin with; everything is gone when the Scope closes. */
export const privateEngine = Effect.fnUntraced(function* (
  mebibytes: number
): Effect.fn.Return<PrivateEngine, never, Scope.Scope> {
  const directory = yield* temporaryDirectory
  const root = yield* smallDisk(directory, mebibytes)
  const socket = Path.join(directory, "engine.sock")
  const docker = new Dockerode({ socketPath: socket })
  let engine: ChildProcess | undefined

  const killed = async (signal: NodeJS.Signals): Promise<void> => {
    if (engine?.exitCode !== null || engine.signalCode !== null) return
    const ended = once(engine, "exit")
    engine.kill(signal)
    await ended
  }
  const start = Effect.gen(function* () {
    const args = ["--data-root", Path.join(root, "data"), "--exec-root", Path.join(directory, "exec")]
    const more = ["--pidfile", Path.join(directory, "pid"), "-H", `unix://${socket}`, "--shutdown-timeout", "1"]
    // The supervisor of a killed engine has died with it, and may still be in the table of processes.
    for (const left of ["pid", "exec/containerd/containerd.pid"]) Fs.rmSync(Path.join(directory, left), { force: true })
    engine = spawn("unshare", ["--net", "dockerd", ...args, ...more], { stdio: "ignore" })
    const answers = Effect.promise(() => docker.ping().then(Boolean, () => false))
    yield* eventually("the engine answers", answers, (does) => does, "20 seconds")
  })
  yield* Effect.acquireRelease(start, () =>
    Effect.promise(async () => {
      await killed("SIGTERM")
      const supervisor = Path.join(directory, "exec", "containerd", "containerd.pid")
      const namespaces = Path.join(directory, "exec", "netns")
      for (const name of Fs.existsSync(namespaces) ? Fs.readdirSync(namespaces) : []) {
        run("umount", "--lazy", Path.join(namespaces, name))
      }
      if (Fs.existsSync(supervisor)) process.kill(Number(Fs.readFileSync(supervisor, "utf8")), "SIGKILL")
    }).pipe(Effect.ignoreCause)
  )
  yield* Effect.promise(async () => {
    const archive = Path.join(directory, "image.tar")
    await pipeline(await machine.getImage(images.busybox).get(), Fs.createWriteStream(archive))
    const answer = await docker.loadImage(archive)
    answer.resume()
    await once(answer, "end")
    Fs.rmSync(archive)
  })
  return {
    engine: `unix://${socket}`,
    docker,
    kill: Effect.promise(() => killed("SIGKILL")),
    start,
    usedBytes: () => {
      const { bavail, blocks, bsize } = Fs.statfsSync(root)
      return (blocks - bavail) * bsize
    }
  }
})
