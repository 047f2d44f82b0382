// The programs that tests start as processes of their own. From the sources, each start loads several hundred modules, which
// takes longer than most of what is tested then. So a test run bundles them once, from the same sources, and starts those.
// LOCKKEEPER_TEST_PROGRAMS names the directory of the run; where it is empty, programs start from the sources.

import { build, type Plugin, stop } from "esbuild"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { SourceMap } from "node:module"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

// Inside the repository, so that the packages which are not bundled are found.
const parent = join(root, "node_modules/.cache/lockkeeper/programs")

const bundled = [
  "examples/doctor.ts",
  "examples/migrate.ts",
  "examples/server.ts",
  "packages/adapter-postgres/test/support/embeddedOwner.ts",
  "packages/adapter-process/test/support/killedServer.ts",
  "test/harness/failpointServer.ts",
  "test/harness/historyWorker.ts",
  "test/harness/slotWorker.ts",
  "test/harness/subnetWorker.ts"
] as const

/** Where the programs of this run are. Only what starts a run calls it; its workers inherit the variable. */
export const directoryOfRun = (): string => join(parent, String(process.pid))

/** What Node is to be started with, and what its environment needs for that. */
export interface Start {
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

/** How a program is started, which is named by its path in the repository. */
export const startOf = async (program: string, from: "bundle" | "sources" = "bundle"): Promise<Start> => {
  const directory = process.env["LOCKKEEPER_TEST_PROGRAMS"] ?? ""
  if (directory === "" || from === "sources" || !bundled.some((path) => path === program)) {
    const cache = process.env["NODE_COMPILE_CACHE"] ?? ""
    return { args: ["--conditions=@lockkeeper/source", join(root, program)], env: { NODE_COMPILE_CACHE: cache } }
  }
  await (bundling ??= bundleInto(directory))
  const env = { NODE_COMPILE_CACHE: join(directory, "compiled") }
  return { args: [join(directory, program.replace(/\.ts$/, ".mjs"))], env }
}

let bundling: Promise<void> | undefined

// Workers that come at once bundle each for itself; one of them is the first, and the others take what it made.
const bundleInto = async (directory: string): Promise<void> => {
  if (existsSync(directory)) return
  mkdirSync(dirname(directory), { recursive: true })
  const made = mkdtempSync(`${directory}-`)
  await build({
    absWorkingDir: root,
    entryPoints: [...bundled],
    outbase: root,
    outdir: made,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    conditions: ["@lockkeeper/source"],
    sourcemap: true,
    sourcesContent: false,
    logLevel: "warning",
    plugins: [ours]
  })
  await stop()
  // Tests start some of them as other users.
  chmodSync(made, 0o755)
  try {
    renameSync(made, directory)
  } catch (error) {
    rmSync(made, { recursive: true, force: true })
    if (!existsSync(directory)) throw error
  }
}

const ours: Plugin = {
  name: "ours",
  setup: ({ onLoad, onResolve }) => {
    // The other packages have few modules, or find files beside themselves.
    onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      kind === "entry-point" || /^(effect|@effect|@lockkeeper)(\/|$)/.test(path) ? undefined : { external: true }
    )
    // What a module of ours looks for beside itself is beside its source.
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
      loader: "ts"
    }))
  }
}

/** What a program said, with the places of errors as they are in the sources. */
export const inSources = (output: string): string =>
  output.replace(/file:\/\/(\S+\.mjs):(\d+):(\d+)/g, (place, file: string, line: string, column: string) => {
    if (!existsSync(`${file}.map`)) return place
    const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")))
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1)
    if (!("originalSource" in entry)) return place
    return `${resolve(dirname(file), entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  })

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Runs before the first test file; returns what removes the programs of the run, and those of runs that were killed. */
export const setup = (): (() => void) => () => {
  const names = existsSync(parent) ? readdirSync(parent) : []
  const isOver = (name: string): boolean =>
    Number.parseInt(name, 10) === process.pid || !isRunning(Number.parseInt(name, 10))
  for (const name of names.filter(isOver)) rmSync(join(parent, name), { recursive: true, force: true })
}
