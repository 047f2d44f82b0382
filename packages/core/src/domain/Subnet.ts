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

const addressOf = (number: number): IpAddress =>
  IpAddress.make([24, 16, 8, 0].map((bits) => Math.floor(number / 2 ** bits) % 256).join("."))

/** Reads `10.0.0.0/24`, and an address alone as a block of one; undefined when it is neither. Bits behind the prefix are dropped. */
export const parse = (text: string): Subnet | undefined => {
  const [, address = "", bits = "32"] = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(text) ?? []
  const prefix = Number(bits)
  if (!isIpAddress(address) || prefix > 32) return undefined
  const number = numberOf(address)
  return { first: number - (number % sizeOf(prefix)), prefix }
}

/** Writes a block as `10.0.0.0/24`. */
export const format = ({ first, prefix }: Subnet): string => `${addressOf(first)}/${prefix}`

/** Whether two blocks share an address. */
export const overlaps = (one: Subnet, other: Subnet): boolean =>
  one.first < other.first + sizeOf(other.prefix) && other.first < one.first + sizeOf(one.prefix)

/** The lowest block of this prefix inside a range that overlaps none of those taken. */
export const nextFree = (range: Subnet, prefix: number, taken: ReadonlyArray<Subnet>): Subnet | undefined => {
  if (prefix < range.prefix || prefix > 32) return undefined
  const end = range.first + sizeOf(range.prefix)
  const inRange = taken.filter((block) => overlaps(range, block)).sort((a, b) => a.first - b.first)
  let first = range.first
  for (const block of inRange) {
    if (!overlaps({ first, prefix }, block)) continue
    const behind = block.first + sizeOf(block.prefix)
    first = Math.ceil(behind / sizeOf(prefix)) * sizeOf(prefix)
  }
  return first + sizeOf(prefix) <= end ? { first, prefix } : undefined
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
