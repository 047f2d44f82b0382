// A directory for one test, that only this user can enter.

import { Effect, type Scope } from "effect"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import * as Path from "node:path"

/** Makes an empty 0700 directory; it is removed with all that is in it when the Scope closes. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Fs.realpathSync(tmpdir()), "lockkeeper-test-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
)
