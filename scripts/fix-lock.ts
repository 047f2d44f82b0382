// Completes package-lock.json, so that `npm ci` accepts it on every platform.
//
// `npm install` leaves out the optional binaries that it could not see, and `npm ci` then refuses the lock. Each missing one
// gets an entry with its version and platform; npm fetches it only where the platform matches.

import { readFileSync, writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"

/** One package of a lock file, as far as it matters here. */
export interface LockEntry {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly resolved?: string
  readonly os?: ReadonlyArray<string>
  readonly cpu?: ReadonlyArray<string>
  readonly libc?: ReadonlyArray<string>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** The packages of a lock file by their place. */
export type LockPackages = Readonly<Record<string, LockEntry>>

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"]

/** Reads the platform out of a name such as `@oxlint/binding-linux-x64-musl`. */
export const platformOf = (name: string): Pick<LockEntry, "os" | "cpu" | "libc"> => {
  const words = name.split(/[-/.]/)
  const os = systems.filter((system) => words.includes(system))
  const cpu = processors.filter((processor) => words.includes(processor))
  const linux = os.includes("linux")
  const libc = linux && words.includes("musl") ? ["musl"] : linux && words.includes("gnu") ? ["glibc"] : []
  return { ...(cpu.length > 0 && { cpu }), ...(libc.length > 0 && { libc }), ...(os.length > 0 && { os }) }
}

const exact = (range: string): string => range.replace(/^[^\d]*/, "")

const placesFrom = (parent: string, name: string): ReadonlyArray<string> => {
  const steps = parent.split("/node_modules/")
  const nested = steps.map((_, kept) => `${steps.slice(0, kept + 1).join("/node_modules/")}/node_modules/${name}`)
  return [`node_modules/${name}`, ...nested.filter((place) => !place.startsWith("/"))].reverse()
}

/** Adds what is missing and drops addresses of registries. */
export const completeLock = (packages: LockPackages): LockPackages => {
  const result: Record<string, LockEntry> = {}
  for (const [place, entry] of Object.entries(packages)) {
    const { resolved, ...rest } = entry
    result[place] = resolved?.startsWith("http") === true ? rest : entry
  }
  for (const [parent, entry] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      const places = placesFrom(parent, name)
      const present = places.map((place) => result[place]).find((found) => found !== undefined)
      if (present !== undefined && (present.version === exact(range) || !/^\d/.test(range))) continue
      const place = present === undefined ? `node_modules/${name}` : `${parent}/node_modules/${name}`
      const dev = entry.dev === true ? { dev: true } : {}
      result[place] = { version: exact(range), ...dev, optional: true, ...platformOf(name) }
    }
  }
  return Object.fromEntries(Object.entries(result).sort(([left], [right]) => left.localeCompare(right, "en")))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const lock: { packages: LockPackages } = JSON.parse(readFileSync("package-lock.json", "utf8"))
  const packages = completeLock(lock.packages)
  writeFileSync("package-lock.json", `${JSON.stringify({ ...lock, packages }, undefined, 2)}\n`)
  console.log(`added ${Object.keys(packages).length - Object.keys(lock.packages).length} entries`)
}
