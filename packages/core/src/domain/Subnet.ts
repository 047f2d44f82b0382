// Blocks of IPv4 addresses, and the pure decisions about them: which one is free, and which address in one. Not here: who
// holds which block.
import { Schema } from "effect"
import { IpAddress } from "./Workload.ts"

/** A block of addresses: its first address as a number, and how many leading bits all its addresses share. */
export interface Subnet {
  readonly first: number
  readonly prefix: number
}

const sizeOf = (prefix: number): number => 2 ** (32 - prefix)

const isIpAddress = Schema.is(IpAddress)

const numberOf = (address: string): number => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)

const textOf = (number: number): string =>
  `${Math.floor(number / 2 ** 24) % 256}.${Math.floor(number / 2 ** 16) % 256}.${Math.floor(number / 2 ** 8) % 256}.${number % 256}`

const addressOf = (number: number): IpAddress => IpAddress.make(textOf(number))

/** Reads `10.0.0.0/24`, and an address alone as a block of one; undefined when it is neither. Bits behind the prefix are dropped. */
export const parse = (text: string): Subnet | undefined => {
  const [, address = "", bits = "32"] = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(text) ?? []
  const prefix = Number(bits)
  if (!isIpAddress(address) || prefix > 32) return undefined
  const number = numberOf(address)
  return { first: number - (number % sizeOf(prefix)), prefix }
}

/** Writes a block as `10.0.0.0/24`. */
export const format = ({ first, prefix }: Subnet): string => `${textOf(first)}/${prefix}`

/** Whether two blocks share an address. */
export const overlaps = (one: Subnet, other: Subnet): boolean =>
  one.first < other.first + sizeOf(other.prefix) && other.first < one.first + sizeOf(one.prefix)

/** Blocks that lie one behind the other: the first addresses of the first and of the last one. */
export interface SubnetSpan {
  readonly first: number
  readonly last: number
}

/** How many blocks of this prefix a range has; 0 when they are larger than the range, or there is no such prefix. */
export const blocksIn = (range: Subnet, prefix: number): number =>
  prefix < range.prefix || prefix > 32 ? 0 : 2 ** (prefix - range.prefix)

/** All blocks of this prefix inside a range that overlap none of those taken, as the longest spans of them, in order. */
export const freeSpans = (range: Subnet, prefix: number, taken: ReadonlyArray<Subnet>): ReadonlyArray<SubnetSpan> => {
  if (blocksIn(range, prefix) === 0) return []
  const size = sizeOf(prefix)
  const end = range.first + sizeOf(range.prefix)
  const inRange = taken.filter((block) => overlaps(range, block)).sort((a, b) => a.first - b.first)
  const spans: Array<SubnetSpan> = []
  let first = range.first
  for (const block of inRange) {
    const behind = Math.floor(block.first / size) * size
    if (first < behind) spans.push({ first, last: behind - size })
    first = Math.max(first, Math.ceil((block.first + sizeOf(block.prefix)) / size) * size)
  }
  return first < end ? [...spans, { first, last: end - size }] : spans
}

/** The lowest block of this prefix inside a range that overlaps none of those taken. */
export const nextFree = (range: Subnet, prefix: number, taken: ReadonlyArray<Subnet>): Subnet | undefined => {
  const [span] = freeSpans(range, prefix, taken)
  return span === undefined ? undefined : { first: span.first, prefix }
}

/** The same spans in turns: those from the block at `first` on, and then those before it. */
export const spansFrom = (
  spans: ReadonlyArray<SubnetSpan>,
  prefix: number,
  first: number
): ReadonlyArray<SubnetSpan> => {
  const cut = (from: number, to: number) =>
    spans.flatMap((span) => {
      const part = { first: Math.max(span.first, from), last: Math.min(span.last, to) }
      return part.first <= part.last ? [part] : []
    })
  return [...cut(first, Number.POSITIVE_INFINITY), ...cut(0, first - sizeOf(prefix))]
}

/** The first address of a block that a host may have: its gateway's. */
export const gatewayOf = ({ first }: Subnet): IpAddress => addressOf(first + 1)

/**
 * An address of a block that is not taken, the search beginning at a place that `seed` decides, so that one that was just
 * given up is not given again at once. Never the gateway's, nor the two that name the block and all its hosts.
 */
export const freeAddress = (
  { first, prefix }: Subnet,
  taken: ReadonlySet<string>,
  seed: number
): IpAddress | undefined => {
  const count = sizeOf(prefix) - 3
  for (let tries = 0; tries < count; tries++) {
    const address = addressOf(first + 2 + ((seed + tries) % count))
    if (!taken.has(address)) return address
  }
  return undefined
}
