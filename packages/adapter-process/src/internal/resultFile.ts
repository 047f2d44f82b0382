// Reads what a step left in its directory: a file, and no further than is asked. Links lead nowhere, since what made them may
// not read what this process can.

import { Effect } from "effect"
import * as Fs from "node:fs"
import { lstat, open } from "node:fs/promises"
import * as Path from "node:path"
import { describeSystemError, errorCode, Refused } from "./systemError.ts"

/** The first bytes of a file below a directory; undefined when it is not there. Fails with a clause for a person. */
export const resultFile = (
  directory: string,
  name: string,
  atMost: number
): Effect.Effect<Uint8Array | undefined, string> =>
  Effect.tryPromise({
    try: () => read(directory, name, atMost).catch(absent),
    catch: describeSystemError
  })

const absent = (cause: unknown): undefined => {
  if (errorCode(cause) !== "ENOENT" && errorCode(cause) !== "ENOTDIR") throw cause
}

const read = async (directory: string, name: string, atMost: number): Promise<Uint8Array> => {
  const parts = name.split("/")
  for (const index of parts.keys()) {
    const part = await lstat(Path.join(directory, ...parts.slice(0, index + 1)))
    if (part.isSymbolicLink()) throw new Refused("a part of its name is a link")
  }
  const file = await open(
    Path.join(directory, name),
    Fs.constants.O_RDONLY | Fs.constants.O_NOFOLLOW | Fs.constants.O_NONBLOCK
  )
  try {
    if (!(await file.stat()).isFile()) throw new Refused("it is not a file")
    const bytes = Buffer.alloc(atMost)
    let length = 0
    for (let read = 1; read > 0 && length < atMost; length += read) {
      read = (await file.read(bytes, length, atMost - length, length)).bytesRead
    }
    return bytes.subarray(0, length)
  } finally {
    await file.close()
  }
}
