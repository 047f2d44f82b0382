// Blocks of addresses: what is given is inside its range and overlaps nothing, and what is free is found.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  blocksIn,
  format,
  freeAddress,
  freeSpans,
  gatewayOf,
  nextFree,
  overlaps,
  parse,
  spansFrom,
  type Subnet,
  type SubnetSpan
} from "../src/domain/Subnet.ts"

const block = (text: string): Subnet => parse(text) ?? assert.fail(`${text} is a block`)

const addressesOf = ({ first, prefix }: Subnet): ReadonlyArray<number> =>
  Array.from({ length: 2 ** (32 - prefix) }, (_, index) => first + index)

describe("a Subnet", () => {
  it("is read and written, and nothing else is taken for one", () => {
    for (const text of ["0.0.0.0/0", "10.0.0.0/8", "192.168.7.128/25", "255.255.255.255/32"]) {
      assert.strictEqual(format(block(text)), text)
    }
    assert.strictEqual(format(block("10.1.2.3/16")), "10.1.0.0/16")
    assert.strictEqual(format(block("10.1.2.3")), "10.1.2.3/32")
    for (const text of ["", "10.0.0.0/33", "10.0.0/8", "256.0.0.0/8", "10.0.0.0/", "fd00::/8", "10.0.0.0/8 "]) {
      assert.strictEqual(parse(text), undefined, text)
    }
  })

  it("has its first address for the gateway", () => assert.strictEqual(gatewayOf(block("10.9.8.0/24")), "10.9.8.1"))
})

const range = block("10.0.0.0/24")
const inside = Schema.Struct({ offset: Schema.Int, bits: Schema.Int })
const blockAt = ({ bits, offset }: { readonly bits: number; readonly offset: number }): Subnet =>
  block(`10.0.0.${Math.abs(offset) % 256}/${22 + (Math.abs(bits) % 11)}`)

describe("the next free block", () => {
  it.effect.prop(
    "INV-15 H11 is inside the range, overlaps nothing that is taken, and is found if there is one",
    { taken: Schema.Array(inside).check(Schema.isMaxLength(12)), bits: Schema.Int },
    ({ bits, taken }) =>
      Effect.sync(() => {
        const blocks = taken.map(blockAt)
        const prefix = 24 + (Math.abs(bits) % 9)
        const free = nextFree(range, prefix, blocks)
        const candidates = addressesOf(range)
          .filter((first) => first % 2 ** (32 - prefix) === 0)
          .filter((first) => !blocks.some((other) => overlaps({ first, prefix }, other)))
        assert.strictEqual(free?.first, candidates[0])
        if (free !== undefined) assert.isTrue(overlaps(range, free))
      })
  )

  it.effect.prop(
    "H34 B29 is one of the spans that are free, which hold all of them once, also in turns from any block on",
    { taken: Schema.Array(inside).check(Schema.isMaxLength(12)), bits: Schema.Int, from: Schema.Int },
    ({ bits, from, taken }) =>
      Effect.sync(() => {
        const blocks = taken.map(blockAt)
        const prefix = 24 + (Math.abs(bits) % 9)
        const size = 2 ** (32 - prefix)
        const isFree = (first: number) => !blocks.some((other) => overlaps({ first, prefix }, other))
        const all = addressesOf(range).filter((first) => first % size === 0)
        const listed = (spans: ReadonlyArray<SubnetSpan>) =>
          spans.flatMap(({ first, last }) =>
            Array.from({ length: (last - first) / size + 1 }, (_, index) => first + index * size)
          )
        const spans = freeSpans(range, prefix, blocks)
        assert.deepStrictEqual(listed(spans), all.filter(isFree))
        assert.lengthOf(all, blocksIn(range, prefix))
        const start = all[Math.abs(from) % all.length] ?? 0
        assert.deepStrictEqual(listed(spansFrom(spans, prefix, start)), [
          ...all.filter((first) => isFree(first) && first >= start),
          ...all.filter((first) => isFree(first) && first < start)
        ])
      })
  )

  it.effect.prop("overlaps another exactly when both have an address", { one: inside, other: inside }, (pair) =>
    Effect.sync(() => {
      const [one, other] = [blockAt(pair.one), blockAt(pair.other)]
      const shared = new Set(addressesOf(one))
      assert.strictEqual(
        overlaps(one, other),
        addressesOf(other).some((address) => shared.has(address))
      )
    })
  )

  it("is never larger than the range, and there is none when all is taken", () => {
    assert.strictEqual(nextFree(range, 23, []), undefined)
    assert.strictEqual(nextFree(range, 25, [block("10.0.0.0/25"), block("10.0.0.128/32")]), undefined)
  })
})

describe("a free address", () => {
  it.effect.prop(
    "is inside, not taken, and neither the gateway's nor one of the two ends",
    { seed: Schema.Int },
    (given) =>
      Effect.sync(() => {
        const taken = new Set<string>()
        const seed = Math.abs(given.seed) % 1_000_003
        for (let address = freeAddress(range, taken, seed); address !== undefined;) {
          assert.isFalse(taken.has(address))
          taken.add(address)
          address = freeAddress(range, taken, seed)
        }
        assert.strictEqual(taken.size, 253)
        for (const special of ["10.0.0.0", "10.0.0.1", "10.0.0.255"]) assert.isFalse(taken.has(special), special)
      })
  )
})
