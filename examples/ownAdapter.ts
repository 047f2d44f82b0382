// A platform's own ContainerRuntime, written against the port and nothing else: Workloads are worker threads that run the
// `app.mjs` of a tree. Run, it is held against the published laws: a line for each, and an exit code when one is broken.
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { NodeRuntime } from "@effect/platform-node"
import type { Env } from "@lockkeeper/core/domain/Env"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { ImageDigest, IpAddress, type Workload, WorkloadId, type WorkloadName } from "@lockkeeper/core/domain/Workload"
import { ContainerRuntime, RuntimeError, type WorkloadSpec } from "@lockkeeper/core/port/ContainerRuntime"
import { makeContainerRuntimeContract } from "@lockkeeper/core/testing/ContainerRuntimeContract"
import { Console, Effect, Layer, Option, Redacted, Stream } from "effect"

interface Running {
  readonly workload: Workload
  readonly worker: Worker
  readonly said: Array<LogEntry>
  exitCode: number | undefined
}

const host = IpAddress.make("127.0.0.1")

/** Keeps images below `directory`. A Workload ends with this process. */
export const make = (directory: string): ContainerRuntime["Service"] => {
  const images = new Map<ImageDigest, string>()
  const workloads = new Map<WorkloadName, Running>()
  let started = 0

  const imageOf = (spec: WorkloadSpec) =>
    Effect.fromOption(Option.fromNullishOr(images.get(spec.image))).pipe(
      Effect.mapError(() => new RuntimeError({ reason: "image_gone", detail: `${spec.image} is gone` }))
    )

  const launch = async (spec: WorkloadSpec, image: string): Promise<Workload> => {
    const port = await freePort()
    const env = { ...valuesOf(spec.env), PORT: String(port) }
    const worker = new Worker(join(image, "app.mjs"), { env, stdout: true, stderr: true })
    const workload = {
      id: WorkloadId.make(`worker-${++started}`),
      name: spec.name,
      address: { host, port },
      image: spec.image
    }
    const running: Running = { workload, worker, said: [], exitCode: undefined }
    for (const stream of ["stdout", "stderr"] as const) {
      worker[stream].on("data", (chunk) => running.said.push({ stream, line: String(chunk).trimEnd() }))
    }
    worker.on("error", (error) => running.said.push({ stream: "stderr", line: error.message }))
    worker.on("exit", (code) => void (running.exitCode = code))
    workloads.set(spec.name, running)
    return workload
  }

  const found = ({ id, name }: Workload): Running | undefined => {
    const running = workloads.get(name)
    return running?.workload.id === id ? running : undefined
  }

  const linesFrom = (
    running: Running,
    from: number
  ): Effect.Effect<readonly [ReadonlyArray<LogEntry>, Option.Option<number>]> =>
    Effect.suspend(() => {
      const lines = running.said.slice(from)
      if (lines.length > 0) return Effect.succeed([lines, Option.some(from + lines.length)] as const)
      if (running.exitCode !== undefined) return Effect.succeed([[], Option.none()] as const)
      return Effect.delay(linesFrom(running, from), "20 millis")
    })

  const stop = (name: WorkloadName, id: WorkloadId | undefined): Effect.Effect<void> =>
    Effect.suspend(() => {
      const running = workloads.get(name)
      if (running === undefined || (id !== undefined && running.workload.id !== id)) return Effect.void
      workloads.delete(name)
      return Effect.asVoid(Effect.promise(() => running.worker.terminate()))
    })

  return ContainerRuntime.of({
    build: (tree, say) =>
      Effect.gen(function* () {
        const image = yield* Effect.promise(() => digestOf(tree.directory))
        const place = join(directory, image.slice("sha256:".length))
        yield* Effect.promise(() => cp(tree.directory, place, { recursive: true }))
        images.set(image, place)
        yield* say({ stream: "build", line: `kept ${image}` })
        return image
      }),

    start: Effect.fnUntraced(function* (spec) {
      const image = yield* imageOf(spec)
      if (workloads.has(spec.name)) {
        return yield* new RuntimeError({ reason: "start_failed", detail: "the name is in use" })
      }
      return yield* Effect.uninterruptibleMask((restore) =>
        Effect.promise(() => launch(spec, image)).pipe(
          Effect.tap(() => Effect.onInterrupt(restore(Effect.yieldNow), () => stop(spec.name, undefined)))
        )
      )
    }),

    inspect: (workload) =>
      Effect.sync(() => {
        const running = found(workload)
        if (running === undefined) return { state: "gone" }
        const { exitCode } = running
        return exitCode === undefined
          ? { state: "running", image: workload.image }
          : { state: "exited", reason: `exited with code ${exitCode}` }
      }),

    run: Effect.fnUntraced(function* (spec, say) {
      const image = yield* imageOf(spec)
      const [program, ...args] = spec.command
      const { exitCode, text } = yield* Effect.callback<{ readonly exitCode: number; readonly text: string }>(
        (resume) => {
          const child = execFile(program, args, {
            cwd: image,
            env: { PATH: process.env["PATH"], ...valuesOf(spec.env) }
          })
          let text = ""
          child.stdout?.on("data", (chunk) => void (text += String(chunk)))
          child.on("error", () => resume(Effect.succeed({ exitCode: 127, text })))
          child.on("close", (code) => resume(Effect.succeed({ exitCode: code ?? 137, text })))
          return Effect.sync(() => void child.kill("SIGKILL"))
        }
      )
      for (const line of text.split("\n").filter(Boolean)) yield* say({ stream: "stdout", line })
      return { exitCode, reason: `exited with code ${exitCode}` }
    }),

    logs: (workload) => {
      const running = found(workload)
      return running === undefined ? Stream.empty : Stream.paginate(0, (from) => linesFrom(running, from))
    },

    stop,

    owned: Effect.sync(() => [...workloads.keys()])
  })
}

const valuesOf = (env: Env): Readonly<Record<string, string>> =>
  Object.fromEntries([...env].map(([key, value]) => [key, Redacted.value(value)]))

const digestOf = async (directory: string): Promise<ImageDigest> => {
  const digest = createHash("sha256")
  for (const name of (await readdir(directory)).sort()) {
    digest.update(name).update(await readFile(join(directory, name)))
  }
  return ImageDigest.make(`sha256:${digest.digest("hex")}`)
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const served = `import { createServer } from "node:http"
createServer((_, response) => response.end("ok")).listen(process.env.PORT)\n`

const checked = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "own-adapter-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const tree = yield* Effect.promise(() => mkdtemp(join(directory, "tree-")))
  yield* Effect.promise(() => writeFile(join(tree, "app.mjs"), served))

  const runtime = Layer.sync(ContainerRuntime, () => make(directory))
  const outcomes = yield* Effect.forEach(
    makeContainerRuntimeContract({ directory: tree, commit: null }),
    ({ id, law, run }) =>
      run.pipe(
        Effect.provide(runtime),
        Effect.match({ onSuccess: () => `ok     ${id} ${law}`, onFailure: ({ message }) => `BROKEN ${message}` }),
        Effect.tap(Console.log)
      )
  )
  if (outcomes.some((outcome) => outcome.startsWith("BROKEN"))) yield* Effect.sync(() => void (process.exitCode = 1))
})

if (import.meta.main) NodeRuntime.runMain(Effect.scoped(checked))
