// A process runtime on directories of its own, trees to build from, and what is to be seen of its Workloads.

import { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import { Env, parseChange } from "@lockkeeper/core/domain/Env"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { type ImageDigest, type Workload, WorkloadName } from "@lockkeeper/core/domain/Workload"
import type { CommandSpec, WorkloadSpec } from "@lockkeeper/core/port/ContainerRuntime"
import { Effect, Result, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { temporaryDirectory } from "../../../../test/harness/temporaryDirectory.ts"
import * as ProcessContainerRuntime from "../../src/ProcessContainerRuntime.ts"
import { membersOf } from "../../src/internal/processTable.ts"
import { filesBelow } from "./processes.ts"

/** What a tree holds at a path: a text, an executable text, a symbolic link, or an empty directory. */
export type TreeFile = string | { readonly executable: string } | { readonly link: string } | "directory"

/** Writes files into a directory. */
const write = (directory: string, files: Readonly<Record<string, TreeFile>>): void => {
  for (const [name, file] of Object.entries(files)) {
    const path = Path.join(directory, name)
    Fs.mkdirSync(Path.dirname(path), { recursive: true })
    if (file === "directory") Fs.mkdirSync(path)
    else if (typeof file === "string") Fs.writeFileSync(path, file)
    else if ("link" in file) Fs.symlinkSync(file.link, path)
    else Fs.writeFileSync(path, file.executable, { mode: 0o755 })
  }
}

/** A tree of these files. */
export const treeOf = (files: Readonly<Record<string, TreeFile>>) =>
  Effect.map(temporaryDirectory, (directory) => {
    write(directory, files)
    return { directory, commit: null }
  })

/** An Env of plain entries. */
const envOf = (entries: Readonly<Record<string, string>>): Env =>
  Env.empty.with(Result.getOrThrow(parseChange(Object.entries(entries))))

/** A Workload of an image, under a name. */
export const specOf = (image: ImageDigest, name: string, env: Readonly<Record<string, string>> = {}): WorkloadSpec => ({
  name: WorkloadName.make(name),
  tenant: TenantName.make("test"),
  app: AppId.make("app_test"),
  work: DeploymentId.make("dep_test"),
  fence: Fence.make(1),
  image,
  env: envOf(env),
  port: null
})

/** The pid of a Workload, which leads its process group. */
export const pidOf = (workload: Workload): number => Number.parseInt(workload.id, 10)

/** The living processes of a Workload. */
export const groupOf = (workload: Workload): ReadonlyArray<number> => membersOf(pidOf(workload))

/** Makes a runtime below a new directory. */
export const runtime = (options: Partial<ProcessContainerRuntime.ProcessContainerRuntimeOptions> = {}) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const places = { builds: Path.join(directory, "builds"), homes: Path.join(directory, "homes") }
    const service = yield* ProcessContainerRuntime.make({ grace: "1 second", ...places, ...options })

    const buildOf = (files: Readonly<Record<string, TreeFile>>) =>
      Effect.scoped(Effect.flatMap(treeOf(files), (tree) => service.build(tree, () => Effect.void)))
    /** Starts a Workload whose Procfile runs this line. */
    const runLine = (line: string, name = "workload", env: Readonly<Record<string, string>> = {}) =>
      Effect.flatMap(buildOf({ Procfile: `web: ${line}\n` }), (image) => service.start(specOf(image, name, env)))
    /** The lines of a Workload until one of them is this text, or to the end. */
    const linesUntil = (workload: Workload, text?: string): Effect.Effect<ReadonlyArray<string>> =>
      service.logs(workload).pipe(
        Stream.map(({ line }: LogEntry) => line),
        Stream.takeUntil((line) => line === text),
        Stream.runCollect,
        Effect.orDie
      )
    /** Runs a command in an image with these files, and answers how it ended and what it said. */
    const command = Effect.fnUntraced(function* (
      argv: CommandSpec["command"],
      files: Readonly<Record<string, TreeFile>> = {}
    ) {
      const said: Array<string> = []
      const image = yield* buildOf({ Procfile: "web: true\n", ...files })
      const say = ({ line, stream }: LogEntry) => Effect.sync(() => void said.push(`${stream}: ${line}`))
      return { exit: yield* service.run({ ...specOf(image, "command"), command: argv }, say, () => Effect.void), said }
    })
    const homes = () => filesBelow(places.homes)
    return {
      ...service,
      ...places,
      directory,
      buildOf,
      runLine,
      command,
      linesUntil,
      homes,
      left: () => filesBelow(directory)
    }
  })
