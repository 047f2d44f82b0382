// Turns the bytes of an output into the lines of a log: whole characters across chunks, no line longer than a bound.

/** The longest line, in bytes of UTF-8; a longer one is split between characters. */
export const lineBytes = 16 * 1024

/** Takes the bytes of one output. */
export interface LineSplitter {
  /** Takes the next bytes, however they are cut. */
  readonly push: (chunk: Uint8Array) => void
  /** Hands over what has no line end yet. */
  readonly end: () => void
}

const lineFeed = 10
const carriageReturn = 13

/**
 * Makes a splitter that hands every line to `emit`, without its line end, and whether it was cut and goes on with the next
 * one. Bytes that are no text become U+FFFD.
 */
export const makeLineSplitter = (emit: (line: string, isCut: boolean) => void): LineSplitter => {
  let pending = new Uint8Array(0)

  const emitLine = (bytes: Uint8Array): void => {
    emit(textOf(bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes), false)
  }
  const emitAtMost = (bytes: Uint8Array): Uint8Array => {
    let rest = bytes
    while (rest.length > lineBytes) {
      const cut = cutAt(rest)
      emit(textOf(rest.subarray(0, cut)), true)
      rest = rest.subarray(cut)
    }
    return rest
  }

  return {
    push: (chunk) => {
      let rest = joined(pending, chunk)
      for (let end = rest.indexOf(lineFeed); end !== -1; end = rest.indexOf(lineFeed)) {
        emitLine(emitAtMost(rest.subarray(0, end)))
        rest = rest.subarray(end + 1)
      }
      pending = emitAtMost(rest).slice()
    },
    end: () => {
      if (pending.length > 0) emitLine(pending)
      pending = new Uint8Array(0)
    }
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  if (first.length === 0) return second
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

// Where to cut so that no UTF-8 sequence is cut: before continuation bytes and the byte that leads them.
const cutAt = (bytes: Uint8Array): number => {
  let cut = lineBytes
  while (cut > lineBytes - 4 && ((bytes[cut] ?? 0) & 0b1100_0000) === 0b1000_0000) cut--
  return cut
}
