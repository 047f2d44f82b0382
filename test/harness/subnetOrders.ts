// What a process of subnetWorker.ts is told and writes down, and whether any two had an address at the same time. The last is
// decided from the texts of blocks alone, by nothing of what it judges.

import { Schema } from "effect"

/** A pool, with its range as text. */
const PoolOrders = Schema.Struct({
  name: Schema.String,
  range: Schema.String,
  prefix: Schema.Int,
  restMillis: Schema.Int
})

/**
 * As JSON in the variable `WORKER`. When the file `go` is there: take `count` Subnets, `atOnce` at the same time, of each of
 * the pools in turn; and keep them, or give each back at once.
 */
export const SubnetOrders = Schema.Struct({
  name: Schema.String,
  directory: Schema.String,
  pools: Schema.NonEmptyArray(PoolOrders),
  count: Schema.Int,
  atOnce: Schema.Int,
  ttlMillis: Schema.Int,
  keep: Schema.Boolean
})

/** The type of {@link SubnetOrders}. */
export type SubnetOrders = typeof SubnetOrders.Type

/**
 * What came of one: a block and from when to when it was had for sure, in milliseconds on the monotonic clock of this machine;
 * to the end of time when it was kept. Or the tag of a refusal, and the size of the block that was asked for.
 */
export const Had = Schema.Union([
  Schema.TaggedStruct("Had", { block: Schema.String, from: Schema.Finite, to: Schema.NullOr(Schema.Finite) }),
  Schema.TaggedStruct("Refused", { tag: Schema.String, prefix: Schema.Int })
])

/** The type of {@link Had}. */
export type Had = typeof Had.Type

interface Hold {
  readonly block: string
  readonly low: number
  readonly high: number
  readonly from: number
  readonly to: number
}

const addressesOf = (block: string): readonly [low: number, high: number] => {
  const [address = "", bits = ""] = block.split("/")
  const low = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0)
  return [low, low + 2 ** (32 - Number(bits)) - 1]
}

const holdOf = (had: Had): ReadonlyArray<Hold> => {
  if (had._tag === "Refused") return []
  const [low, high] = addressesOf(had.block)
  return [{ block: had.block, low, high, from: had.from, to: had.to ?? Number.POSITIVE_INFINITY }]
}

/** Two that had an address at the same time, found by going through time with those who have something in hand. */
export const clash = (all: ReadonlyArray<Had>): readonly [string, string] | undefined => {
  let inHand: ReadonlyArray<Hold> = []
  for (const hold of all.flatMap(holdOf).sort((a, b) => a.from - b.from)) {
    inHand = inHand.filter(({ to }) => to > hold.from)
    const other = inHand.find(({ high, low }) => low <= hold.high && hold.low <= high)
    if (other !== undefined) return [other.block, hold.block]
    inHand = [...inHand, hold]
  }
  return undefined
}

/** Whether a range still has a block of a size of which nobody has an address. */
export const hasRoom = (all: ReadonlyArray<Had>, range: string, prefix: number): boolean => {
  const [low, high] = addressesOf(range)
  const size = 2 ** (32 - prefix)
  const firsts = Array.from({ length: (high + 1 - low) / size }, (_, index) => low + index * size)
  const holds = all.flatMap(holdOf)
  return firsts.some((first) => !holds.some((hold) => hold.low < first + size && first <= hold.high))
}

/** How many had a block. */
export const howMany = (all: ReadonlyArray<Had>): number => all.filter(({ _tag }) => _tag === "Had").length
