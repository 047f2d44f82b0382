// Writes tar archives byte by byte, so that they can also hold what no honest program would write.

import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"

/** An entry as it is said in the archive. `type` is the type flag: `0` file, `1` hard link, `2` link, `3` device, `5` directory. */
export interface TarEntry {
  readonly path: string
  readonly type?: "0" | "1" | "2" | "3" | "5" | "6"
  readonly content?: string
  readonly link?: string
  readonly mode?: number
  readonly size?: number
}

const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`

const block = (entry: TarEntry): Buffer => {
  const content = Buffer.from(entry.content ?? "")
  const header = Buffer.alloc(512)
  header.write(entry.path, 0, 100)
  header.write(octal(entry.mode ?? 0o644, 8), 100)
  header.write(octal(0, 8) + octal(0, 8), 108)
  header.write(octal(entry.size ?? content.length, 12) + octal(0, 12), 124)
  header.write("        ", 148)
  header.write(entry.type ?? "0", 156)
  header.write(entry.link ?? "", 157, 100)
  header.write("ustar\x0000", 257)
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte),
      7
    )} `,
    148
  )
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

/** The bytes of an uncompressed archive. */
export const tarball = (...entries: ReadonlyArray<TarEntry>): Buffer =>
  Buffer.concat([...entries.map(block), Buffer.alloc(1024)])

/** The same, compressed. */
export const tarGz = (...entries: ReadonlyArray<TarEntry>): Buffer => gzipSync(tarball(...entries))

/** The SHA-256 of bytes in hexadecimal. */
export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex")
