// A directory for one test, that only this user can enter.

import { Effect, type Scope } from "effect"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import * as Path from "node:path"

// What is read-only, as images are, could not be removed by anybody but root.
const openDirectories = (path: string): void => {
  Fs.chmodSync(path, 0o700)
  for (const entry of Fs.readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(Path.join(path, entry.name))
  }
}

const remove = (path: string): void => {
  if (Fs.existsSync(path)) openDirectories(path)
  Fs.rmSync(path, { recursive: true, force: true, maxRetries: 5 })
}

/** Makes an empty 0700 directory; it is removed with all that is in it when the Scope closes. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Fs.realpathSync(tmpdir()), "lockkeeper-test-"))),
  (path) => Effect.sync(() => remove(path))
)
