// Finds many phrases in a text in one pass (Aho and Corasick), also where the text comes in pieces. The time is that of the
// text alone, however many phrases there are and however alike they begin. A phrase takes about 30 bytes for each character.

/** A part of a text, in UTF-16 code units from the beginning of its first piece. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** One text, piece by piece. */
export interface Matching {
  /** Takes the next piece. */
  readonly push: (piece: string) => void
  /** Where phrases were found so far, in order; those that overlap or touch are one. Their reader takes away what it is done with. */
  readonly spans: Array<Span>
  /** From where on a phrase may still be found: what is before that is settled. */
  readonly open: () => number
  /** Takes what came from there on for found. */
  readonly close: (from: number) => void
}

/** Looks for phrases in texts. */
interface PhraseMatcher {
  /** Begins a text. */
  readonly begin: () => Matching
  /** Whether a phrase is in a text that comes in one piece. */
  readonly isIn: (text: string) => boolean
}

/** Makes what looks for these phrases. Characters for which `sameAs` answers the same one are not told apart. */
export const makePhraseMatcher = (
  phrases: ReadonlyArray<string>,
  sameAs: (code: number) => number = (code) => code
): PhraseMatcher => {
  const automaton = automatonOf(phrases, sameAs)
  const walk = walking(automaton, sameAs)
  const { begun, longest } = automaton

  const isIn = (text: string): boolean => {
    let isFound = false
    walk(root, text, () => (isFound = true))
    return isFound
  }
  const begin = (): Matching => {
    const spans: Array<Span> = []
    let node = root
    let read = 0
    return {
      push: (piece) => {
        node = walk(node, piece, (at, index) => {
          const end = read + index + 1
          add(spans, end - (longest[at] ?? 0), end)
          return false
        })
        read += piece.length
      },
      spans,
      open: () => read - (begun[node] ?? 0),
      close: (from) => add(spans, from, read)
    }
  }
  return { begin, isIn }
}

const root = 0

/** Adds a span whose end is behind all others'. */
const add = (spans: Array<Span>, from: number, end: number): void => {
  let start = from
  for (let last = spans.at(-1); last !== undefined && last.end >= start; last = spans.at(-1)) {
    start = Math.min(start, last.start)
    spans.pop()
  }
  spans.push({ start, end })
}

interface Automaton {
  /** How many characters before a node may be the beginning of a longer phrase. */
  readonly begun: Int32Array
  /** The longest phrase that ends at a node. */
  readonly longest: Int32Array
  readonly step: (node: number, code: number) => number
  /** The nodes but the root, those that are nearer to it first. */
  readonly nearest: Int32Array
}

const tableNodes = 1_024
const codeBits = 7
const tableCodes = 2 ** codeBits

/**
 * Walks from a node through a text, tells where phrases end until it is told to stop, and answers the node that it is at.
 * The steps of the nodes nearest to the root, where nearly all of a text is, are in a table, which takes half a megabyte.
 */
const walking = ({ longest, nearest, step }: Automaton, sameAs: (code: number) => number) => {
  const near = Int32Array.of(root, ...nearest.subarray(0, tableNodes - 1))
  const rows = new Int32Array(nearest.length + 1).fill(-1)
  near.forEach((node, row) => (rows[node] = row << codeBits))
  // From a row to a row. What leads to another node, or to the end of a phrase, is no step of the table.
  const table = new Int32Array(near.length << codeBits)
  near.forEach((node, row) => {
    for (let code = 0; code < tableCodes; code++) {
      const next = step(node, sameAs(code))
      table[(row << codeBits) + code] = longest[next] === 0 ? (rows[next] ?? -1) : -1
    }
  })

  return (from: number, text: string, found: (node: number, index: number) => boolean): number => {
    let node = from
    let row = rows[node] ?? -1
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      const next = row >= 0 && code < tableCodes ? (table[row + code] ?? -1) : -1
      if (next >= 0) {
        row = next
        continue
      }
      node = step(row >= 0 ? (near[row >> codeBits] ?? root) : node, sameAs(code))
      row = rows[node] ?? -1
      if (longest[node] !== 0 && found(node, index)) return node
    }
    return row >= 0 ? (near[row >> codeBits] ?? root) : node
  }
}

const automatonOf = (phrases: ReadonlyArray<string>, sameAs: (code: number) => number): Automaton => {
  const most = phrases.reduce((sum, { length }) => sum + length, 1)
  const [parent, depth, begun] = [new Int32Array(most), new Int32Array(most), new Int32Array(most)]
  const [longest, shorter] = [new Int32Array(most), new Int32Array(most)]
  const codes = new Uint16Array(most)
  const edges = makeEdges(most)
  let nodes = 1

  for (const phrase of phrases) {
    let node = root
    for (let index = 0; index < phrase.length; index++) {
      const code = sameAs(phrase.charCodeAt(index))
      const known = edges.get(node, code)
      if (known === root) {
        edges.set(node, code, nodes)
        parent[nodes] = node
        codes[nodes] = code
        depth[nodes] = index + 1
        begun[node] = index
      }
      node = known === root ? nodes++ : known
    }
    longest[node] = depth[node] ?? 0
  }

  const first = Int32Array.from({ length: 128 }, (_, code) => edges.get(root, code))
  const step = (from: number, code: number): number => {
    for (let node = from; node !== root; node = shorter[node] ?? root) {
      const next = edges.get(node, code)
      if (next !== root) return next
    }
    return first[code] ?? edges.get(root, code)
  }
  const nearest = byDepth(depth, nodes)
  for (const node of nearest) {
    const above = parent[node] ?? root
    const next = above === root ? root : step(shorter[above] ?? root, codes[node] ?? 0)
    shorter[node] = next
    if (longest[node] === 0) longest[node] = longest[next] ?? 0
    if (begun[node] === 0) begun[node] = begun[next] ?? 0
  }
  return { begun, longest, nearest, step }
}

const byDepth = (depth: Int32Array, nodes: number): Int32Array =>
  Int32Array.from({ length: nodes - 1 }, (_, index) => index + 1).sort((a, b) => (depth[a] ?? 0) - (depth[b] ?? 0))

/** A table from a node and a character to a node; the root where there is none. It is never more than half full. */
const makeEdges = (most: number) => {
  const size = 2 ** Math.ceil(Math.log2(most * 2))
  const from = new Int32Array(size).fill(-1)
  const codes = new Uint16Array(size)
  const to = new Int32Array(size)

  const slotOf = (node: number, code: number): number => {
    let slot = Math.imul(Math.imul(node, 0x9e3779b1) ^ Math.imul(code + 1, 0x85ebca6b), 0xc2b2ae35)
    slot = (slot ^ (slot >>> 15)) & (size - 1)
    while (from[slot] !== -1 && (from[slot] !== node || codes[slot] !== code)) slot = (slot + 1) & (size - 1)
    return slot
  }
  return {
    get: (node: number, code: number): number => to[slotOf(node, code)] ?? root,
    set: (node: number, code: number, target: number): void => {
      const slot = slotOf(node, code)
      from[slot] = node
      codes[slot] = code
      to[slot] = target
    }
  }
}
