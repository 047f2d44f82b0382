// Directories and files of a Run: 0700 and 0600, below a directory that is this server's and goes with it.

import type { PlanNode } from "@lockkeeper/core/domain/Plan"
import { maxResultBytes } from "@lockkeeper/core/domain/StepResult"
import type { Credentials } from "@lockkeeper/core/port/Provider"
import { Effect, Redacted } from "effect"
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs"
import { open } from "node:fs/promises"
import * as Path from "node:path"
import { describeSystemError } from "./systemError.ts"

/** Makes a directory with a name that nothing has below that of a Run. */
export const freshDirectory = (parent: string, what: string): Effect.Effect<string, string> =>
  Effect.try({
    try: () => {
      const path = Path.join(parent, `${what}-${randomUUID()}`)
      Fs.mkdirSync(path, { mode: 0o700 })
      return path
    },
    catch: describeSystemError
  })

/** Writes the Credentials of a node into a directory of their own. */
export const credentialFiles = Effect.fnUntraced(function* (
  parent: string,
  { credentials, name }: PlanNode,
  known: Credentials
): Effect.fn.Return<string, string> {
  const directory = yield* freshDirectory(parent, `credentials-${name}`)
  yield* Effect.try({
    try: () => {
      for (const node of credentials) {
        const secret = known.get(node)
        if (secret === undefined) continue
        Fs.writeFileSync(Path.join(directory, node), Redacted.value(secret), { flag: "wx", mode: 0o600 })
      }
    },
    catch: describeSystemError
  })
  return directory
})

/** The beginning of a result file, a byte more than may be read; undefined where there is no plain file. */
export const resultFile = (path: string): Effect.Effect<Uint8Array | undefined> =>
  Effect.orElseSucceed(
    Effect.tryPromise(() => beginning(path)),
    () => undefined
  )

const beginning = async (path: string): Promise<Uint8Array | undefined> => {
  const file = await open(path, Fs.constants.O_RDONLY | Fs.constants.O_NOFOLLOW | Fs.constants.O_NONBLOCK)
  try {
    if (!(await file.stat()).isFile()) return undefined
    const bytes = Buffer.alloc(maxResultBytes + 1)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return bytes.subarray(0, length)
  } finally {
    await file.close()
  }
}
