// A copy of the sources in which mutations are made, so that the working tree is never touched.

import { execFileSync } from "node:child_process"
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

/** A copy of the repository. */
export interface Workspace {
  readonly root: string
  /** Gives a file another text while `work` runs. */
  readonly during: <A>(file: string, text: string, work: () => Promise<A>) => Promise<A>
  readonly remove: () => void
}

/** Copies what is, or could be, committed at `from`; packages are linked from its node_modules, our own from the copy. */
export const copyOf = (from: string): Workspace => {
  const root = mkdtempSync(join(tmpdir(), "lockkeeper-mutation-"))
  for (const file of filesOf(from)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    cpSync(join(from, file), join(root, file))
  }
  linkModules(from, root)
  return {
    root,
    during: async (file, text, work) => {
      const path = join(root, file)
      const before = readFileSync(path)
      writeFileSync(path, text)
      try {
        return await work()
      } finally {
        writeFileSync(path, before)
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true })
  }
}

const filesOf = (root: string): ReadonlyArray<string> =>
  execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
    .split("\0")
    .filter((path) => path !== "" && statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true)

const linkModules = (from: string, root: string): void => {
  const modules = join(root, "node_modules")
  mkdirSync(join(modules, "@lockkeeper"), { recursive: true })
  for (const name of readdirSync(join(from, "node_modules"))) {
    const isOurs = name === "@lockkeeper" || (name.startsWith(".") && name !== ".bin")
    if (!isOurs) symlinkSync(resolve(from, "node_modules", name), join(modules, name))
  }
  for (const name of readdirSync(join(root, "packages"))) {
    symlinkSync(join(root, "packages", name), join(modules, "@lockkeeper", name))
  }
}
