// A deploy key on disk for as long as one fetch needs it, in a directory of its own outside of every tree.

import type { GitSshFiles } from "@lockkeeper/core/port/gitCommand"
import { failpoint } from "@lockkeeper/core/port/failpoint"
import { Effect, Redacted, type Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { ownDirectory } from "./privateDirectory.ts"
import { describeSystemError } from "./systemError.ts"

const writeWhole = (path: string, text: string): void => {
  const file = Fs.openSync(path, "wx", 0o600)
  try {
    Fs.fchmodSync(file, 0o600)
    Fs.writeFileSync(file, text)
  } finally {
    Fs.closeSync(file)
  }
}

const asLines = (text: string): string => `${text.replaceAll("\r\n", "\n").trimEnd()}\n`

/** Writes the key and the pinned hosts below `parent`, whole and 0600. They are gone when the Scope closes. */
export const sshFiles = (
  parent: string,
  deployKey: Redacted.Redacted<string> | undefined,
  knownHosts: string
): Effect.Effect<GitSshFiles, string, Scope.Scope> =>
  Effect.flatMap(ownDirectory(parent), (directory) =>
    failpoint("disk.key", written(directory, deployKey, knownHosts), Effect.fail("a failpoint"))
  )

const written = (
  directory: string,
  deployKey: Redacted.Redacted<string> | undefined,
  knownHosts: string
): Effect.Effect<GitSshFiles, string> =>
  Effect.try({
    try: () => {
      const files = { key: Path.join(directory, "key"), knownHosts: Path.join(directory, "known_hosts") }
      writeWhole(files.knownHosts, asLines(knownHosts))
      if (deployKey === undefined) return { ...files, key: undefined }
      writeWhole(files.key, asLines(Redacted.value(deployKey)))
      return files
    },
    catch: describeSystemError
  })
