// Turns chunks of bytes into lines: whole characters across chunks, no line longer than a bound.

/** The longest line, in bytes; a longer one is split between characters. */
export const lineBytes = 16 * 1024

/** Takes the bytes of one output. */
export interface LineSplitter {
  readonly push: (chunk: Uint8Array) => void
  /** Hands over what has no line end yet. */
  readonly end: () => void
}

const lineFeed = 10
const carriageReturn = 13

// Where to cut so that no UTF-8 sequence is cut: before continuation bytes and the byte that leads them.
const cutAt = (bytes: Buffer): number => {
  let cut = lineBytes
  while (cut > lineBytes - 4 && ((bytes[cut] ?? 0) & 0b1100_0000) === 0b1000_0000) cut--
  return cut
}

/** Makes a splitter that hands every line to `emit`, without its line end. */
export const makeLineSplitter = (emit: (line: string) => void): LineSplitter => {
  let pending = Buffer.alloc(0)

  const emitLine = (bytes: Buffer): void => {
    const end = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length
    emit(bytes.toString("utf8", 0, end))
  }
  const emitAtMost = (bytes: Buffer): Buffer => {
    let rest = bytes
    while (rest.length > lineBytes) {
      const cut = cutAt(rest)
      emit(rest.toString("utf8", 0, cut))
      rest = rest.subarray(cut)
    }
    return rest
  }

  return {
    push: (chunk) => {
      let rest = Buffer.concat([pending, chunk])
      for (let end = rest.indexOf(lineFeed); end !== -1; end = rest.indexOf(lineFeed)) {
        emitLine(emitAtMost(rest.subarray(0, end)))
        rest = rest.subarray(end + 1)
      }
      pending = Buffer.from(emitAtMost(rest))
    },
    end: () => {
      if (pending.length > 0) emitLine(pending)
      pending = Buffer.alloc(0)
    }
  }
}
