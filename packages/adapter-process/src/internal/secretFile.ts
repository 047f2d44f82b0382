// Secrets on disk for as long as they are needed: a deploy key while one fetch lasts, in a directory of its own outside of
// every tree, and what a node of a Run is given.

import type { Credentials } from "@lockkeeper/core/port/Provider"
import type { GitSshFiles } from "@lockkeeper/core/port/gitCommand"
import { failpoint } from "@lockkeeper/core/port/failpoint"
import { Effect, Redacted, type Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { ownDirectory, privateDirectory } from "./privateDirectory.ts"
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

/** Writes Credentials into a directory of their own, each in a file that nobody else may read, and answers the directory. */
export const credentialFiles = (directory: string, credentials: Credentials): Effect.Effect<string, string> => {
  const writing = Effect.try({
    try: () => {
      for (const [name, secret] of credentials) writeWhole(Path.join(directory, name), Redacted.value(secret))
      return directory
    },
    catch: describeSystemError
  })
  return Effect.andThen(privateDirectory(directory), failpoint("disk.secret", writing, Effect.fail("a failpoint")))
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
