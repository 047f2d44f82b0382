// Reads an open file to its end. Not a Node stream: one that is aborted before somebody listens ends the process.

import type { FileHandle } from "node:fs/promises"

const chunkBytes = 64 * 1024

/** The bytes of a file in order, each chunk in a buffer of its own. Throws the signal's reason when it is aborted. */
export async function* readChunks(file: FileHandle, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (;;) {
    signal.throwIfAborted()
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}
