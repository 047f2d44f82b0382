// A platform's own ContainerRuntime, written against the port and nothing else: Workloads are worker threads that run the
// `app.mjs` of a tree. Run, it is held against the published laws: a line for each, and an exit code when one is broken.
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { createHash, randomInt, randomUUID } from "node:crypto"
import { once } from "node:events"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { Worker } from "node:worker_threads"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import {
  ImageDigest,
  IpAddress,
  type KeptImage,
  type Workload,
  WorkloadId,
  type WorkloadName
} from "@lockkeeper/core/domain/Workload"
import {
  type CommandSpec,
  ContainerRuntime,
  itemVariable,
  RuntimeError,
  type WorkloadSpec
} from "@lockkeeper/core/port/ContainerRuntime"
import { makeContainerRuntimeContract } from "@lockkeeper/core/testing/ContainerRuntimeContract"
import type { Violation } from "@lockkeeper/core/testing/Contract"
import { Console, Effect, Option, Redacted, Stream } from "effect"

const host = IpAddress.make("127.0.0.1")
const serving = `import { createServer } from "node:http"; createServer().listen(process.env.PORT, "127.0.0.1")`

/** Keeps images below `directory`. Images and Workloads end with this process. */
export const make = (directory: string): ContainerRuntime["Service"] => {
  const images = new Map<ImageDigest, KeptImage>()
  const workloads = new Map<WorkloadName, { workload: Workload; worker: Worker; lines: Stream.Stream<LogEntry> }>()
  const commands = new Map<WorkloadName, Effect.Effect<void>>()
  const isUsed = (name: WorkloadName) => workloads.has(name) || commands.has(name)
  const placeOf = (image: ImageDigest) => join(directory, image.slice("sha256:".length))
  const imageOf = ({ image }: WorkloadSpec) =>
    images.has(image) ? Effect.succeed(placeOf(image)) : failed("image_gone", `${image} is gone`)
  const found = (name: WorkloadName, id: WorkloadId | undefined) => {
    const running = workloads.get(name)
    return id === undefined || running?.workload.id === id ? running : undefined
  }

  return ContainerRuntime.of({
    build: ({ directory: tree }, say) =>
      Effect.try({
        try: () => {
          const image = digestOf(tree)
          cpSync(tree, placeOf(image), { recursive: true, dereference: true })
          images.set(image, { image, mark: randomUUID() })
          return image
        },
        catch: (cause) => new RuntimeError({ reason: "build_failed", detail: String(cause) })
      }).pipe(Effect.tap((image) => say({ stream: "build", line: `kept ${image}` }))),
    start: Effect.fnUntraced(function* (spec) {
      const [place, port] = [yield* imageOf(spec), yield* freePort]
      // Synchronous from here, as a build is: whoever interrupts came before, and of two starts of one name one is refused.
      if (isUsed(spec.name)) return yield* failed("name_conflict", `${spec.name} is in use`)
      const env = { ...envOf(spec), PORT: String(port) }
      const worker = new Worker(join(place, "app.mjs"), { env, stdout: true, stderr: true })
      const id = WorkloadId.make(`thread-${worker.threadId}`)
      const workload = { id, name: spec.name, address: { host, port }, image: spec.image }
      workloads.set(spec.name, { workload, worker, lines: linesOf(worker) })
      return workload
    }),
    inspect: ({ id, image, name }) =>
      Effect.sync(() => {
        const worker = found(name, id)?.worker
        if (worker === undefined) return { state: "gone" }
        return worker.threadId === -1 ? { state: "exited", reason: "its thread ended" } : { state: "running", image }
      }),
    run: Effect.fnUntraced(function* (spec, say, started) {
      const cwd = yield* imageOf(spec)
      if (isUsed(spec.name)) return yield* failed("name_conflict", `${spec.name} is in use`)
      const [program, ...args] = spec.command
      const begun = Effect.sync(() => {
        const child = spawn(program, args, {
          cwd,
          env: { ...envOf(spec), ...itemOf(spec) },
          detached: true,
          stdio: ["ignore", "pipe", "pipe"]
        })
        const exit = once(child, "exit").catch(() => [127])
        // The whole group, since a command may leave processes of its own. What did not begin has no number to be ended by.
        const end = Effect.ignore(Effect.try(() => process.kill(-(child.pid ?? Number.NaN), "SIGKILL")))
        commands.set(spec.name, end)
        return { end, exit: Effect.promise(() => exit), lines: linesOf(child) }
      })
      const [[code]] = yield* Effect.acquireUseRelease(
        begun,
        (it) =>
          Effect.andThen(
            started({ id: WorkloadId.make("command"), name: spec.name, address: { host, port: 1 }, image: spec.image }),
            Effect.all([Effect.tap(it.exit, it.end), Stream.runForEach(it.lines, say)], { concurrency: 2 })
          ),
        ({ end }) =>
          Effect.andThen(
            end,
            Effect.sync(() => commands.delete(spec.name))
          )
      )
      return { exitCode: Number(code ?? 137), reason: code === null ? "a signal ended it" : `exited with code ${code}` }
    }),
    // Nobody comes back with a cursor: no Workload outlives the process that would read on.
    logs: ({ id, name }) => found(name, id)?.lines ?? Stream.empty,
    // A thread cannot be asked to end, so there is no grace. The name is free once it has ended, not before.
    stop: Effect.fnUntraced(function* (name, id) {
      const running = found(name, id)
      yield* commands.get(name) ?? Effect.void
      yield* Effect.promise(async () => running?.worker.terminate())
      if (workloads.get(name) === running) workloads.delete(name)
    }, Effect.uninterruptible),
    hasImage: (image) => Effect.sync(() => images.has(image)),
    images: Effect.sync(() => [...images.values()]),
    keepImage: (image) =>
      images.has(image)
        ? Effect.sync(() => void images.set(image, { image, mark: randomUUID() }))
        : failed("image_gone", `${image} is gone`),
    removeImage: ({ image, mark }) =>
      Effect.sync(() => {
        const isServed = [...workloads.values()].some(({ workload }) => workload.image === image)
        if (isServed || images.get(image)?.mark !== mark) return
        images.delete(image)
        rmSync(placeOf(image), { recursive: true })
      }),
    owned: Effect.sync(() => [...workloads.keys(), ...commands.keys()])
  })
}

const failed = (reason: RuntimeError["reason"], detail: string) => Effect.fail(new RuntimeError({ reason, detail }))

const itemOf = ({ item }: CommandSpec): NodeJS.ProcessEnv => (item === undefined ? {} : { [itemVariable]: item })

const envOf = ({ env }: WorkloadSpec): NodeJS.ProcessEnv =>
  Object.fromEntries([["PATH", process.env["PATH"]], ...[...env].map(([key, value]) => [key, Redacted.value(value)])])

/** What each file holds, then its path: the sums have one length and paths no NUL, so no two trees read alike. */
const digestOf = (tree: string): ImageDigest => {
  const digest = createHash("sha256")
  const files = readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())
  for (const path of files.map(({ name, parentPath }) => join(parentPath, name)).sort()) {
    digest.update(createHash("sha256").update(readFileSync(path)).digest()).update(`${relative(tree, path)}\0`)
  }
  return ImageDigest.make(`sha256:${digest.digest("hex")}`)
}

/** All that is said on two outputs, from the start, to everybody who reads. */
const linesOf = (source: Worker | ChildProcessByStdio<null, Readable, Readable>): Stream.Stream<LogEntry> => {
  const said: Array<LogEntry> = []
  let open = 2
  source.on("error", (error) => said.push({ stream: "stderr", line: String(error) }))
  for (const stream of ["stdout", "stderr"] as const) {
    const lines = createInterface(source[stream]).on("close", () => open--)
    lines.on("line", (line) => said.push({ stream, line }))
  }
  const part = (from: number): Effect.Effect<readonly [ReadonlyArray<LogEntry>, Option.Option<number>]> =>
    Effect.suspend(() => {
      if (said.length > from) return Effect.succeed([said.slice(from), Option.some(said.length)] as const)
      return open === 0 ? Effect.succeed([[], Option.none()] as const) : Effect.delay(part(from), "20 millis")
    })
  return Stream.paginate(0, part)
}

/** Not one that the system gives to outgoing connections by itself: it could be gone before the thread listens there. */
const freePort = Effect.callback<number>((resume) => {
  const port = randomInt(10_000, 20_000)
  const server = createServer()
    .once("error", () => resume(Effect.suspend(() => freePort)))
    .listen(port, host, () => server.close(() => resume(Effect.succeed(port))))
  return Effect.sync(() => void server.close())
})

/** Says of each law whether a runtime keeps it; fails with the first one that it breaks. */
export const report = Effect.fn("report")(function* (makeRuntime: typeof make): Effect.fn.Return<void, Violation> {
  const directory = mkdtempSync(join(tmpdir(), "own-adapter-"))
  const [tree, deeper] = [mkdtempSync(join(directory, "tree-")), mkdtempSync(join(directory, "tree-"))]
  for (const each of [tree, deeper]) writeFileSync(join(each, "app.mjs"), serving)
  mkdirSync(join(deeper, "below", "more"), { recursive: true })
  writeFileSync(join(deeper, "below", "more", "file.txt"), "one")
  const runtime = makeRuntime(directory)
  const laws = makeContainerRuntimeContract({ directory: tree, commit: null }, { directory: deeper, commit: null })
  const [, broken] = yield* Effect.partition(laws, ({ id, law, run }) =>
    Effect.provideService(run, ContainerRuntime, runtime).pipe(
      Effect.andThen(Console.log(`ok     ${id} ${law}`)),
      Effect.tapError(({ message }) => Console.log(`BROKEN ${message}`))
    )
  )
  rmSync(directory, { recursive: true })
  if (broken[0] !== undefined) return yield* broken[0]
})

if (import.meta.main) NodeRuntime.runMain(report(make))
