// How large an Env is: the bytes of its canonical JSON, kept from change to change and never counted wrong.

import { describe, expect, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import * as Env from "../src/domain/Env.ts"
import { toCanonicalJson } from "../src/domain/EnvJson.ts"
import { anyChanges, anyEntries, applied, changeOf, envOf, naiveJson, naively, plain, walk } from "./support/entries.ts"

const utf8Bytes = (text: string): number => Buffer.byteLength(text, "utf8")

/** A value of one character, filled up with `x`, with which an Env of the key A has so many bytes. */
const filling = (filler: string, bytes: number): string => {
  const room = bytes - utf8Bytes('{"A":""}')
  const width = utf8Bytes(JSON.stringify(filler)) - 2
  return filler.repeat(Math.floor(room / width)) + "x".repeat(room % width)
}

const refused = (env: Env.Env, change: Env.EnvChange) => Result.getOrThrow(Result.flip(Env.apply(env, change)))

describe("the size of an Env", () => {
  it.prop(
    "E2 is kept through any changes as a naive encoder counts it, also down to nothing",
    [anyChanges],
    ([changes]) => {
      let values: ReadonlyMap<string, string> = new Map()
      const envs = walk(changes)
      for (const [index, env] of envs.entries()) {
        if (index > 0) values = naively(values, changes[index - 1] ?? [])
        const json = naiveJson(values)
        expect([Redacted.value(toCanonicalJson(env)), env.bytes, env.size]).toEqual([
          json,
          utf8Bytes(json),
          values.size
        ])
      }
      const last = envs.at(-1) ?? Env.Env.empty
      const oneByOne = last.keys().map((key): ReadonlyArray<readonly [string, null]> => [[key, null]])
      const emptied = oneByOne.reduce((env, entries) => applied(env, changeOf(entries)).env, last)
      const atOnce = applied(last, changeOf(oneByOne.flat())).env
      expect([emptied, atOnce].map(({ bytes, size }) => [bytes, size])).toEqual([
        [2, 0],
        [2, 0]
      ])
    }
  )

  it.prop("E2 is the same however an Env came to be", [anyChanges, anyEntries], ([changes, entries]) => {
    const grown = walk([...changes, entries]).at(-1) ?? Env.Env.empty
    expect(grown.bytes).toBe(envOf(plain(grown)).bytes)
  })

  const fillers = ["x", "é", "€", "\u{1F512}", "\n", "\u0001", "\u007f", '"', "\\", "\u2028", "\u202e", "e\u0301"]

  it.each(fillers)("E2 is counted in bytes of its JSON, to the last one, with %j", (filler) => {
    for (const bytes of [65_535, 65_536]) {
      const outcome = applied(Env.Env.empty, changeOf([["A", filling(filler, bytes)]]))
      expect([outcome.env.bytes, outcome.changed]).toEqual([bytes, true])
    }
    const change = changeOf([["A", filling(filler, 65_537)]])
    expect(refused(Env.Env.empty, change)).toMatchObject({ _tag: "EnvTooLarge", limit: 65_536, actual: 65_537 })
  })

  it.each(fillers)("E2 is bounded in the sum of many variables too, in whatever order they come, with %j", (filler) => {
    const entries = Array.from({ length: 10 }, (_, index) => [`KEY_${index}`, filling(filler, 6_000)] as const)
    const env = envOf(entries)
    const room = Env.limitBytes - env.bytes - utf8Bytes(',"LAST":""')
    expect(applied(env, changeOf([["LAST", "x".repeat(room)]])).env.bytes).toBe(65_536)
    const over = changeOf([["LAST", "x".repeat(room + 1)]])
    expect(refused(env, over).actual).toBe(65_537)
    expect(refused(envOf(entries.toReversed()), over).actual).toBe(65_537)
    expect(plain(env)).toEqual(plain(envOf(entries)))
  })

  it("E2 is that of the result, so that a change may delete as much as it adds", () => {
    const full = envOf([["A", filling("x", 65_536)]])
    const exchange = changeOf([
      ["A", null],
      ["B", filling("x", 65_536)]
    ])
    expect(applied(full, exchange).env.bytes).toBe(65_536)
    expect(applied(full, Env.replacing(full, changeOf([["B", filling("é", 65_536)]]))).env.bytes).toBe(65_536)
    expect(refused(full, changeOf([["B", "1"]])).actual).toBe(65_536 + ',"B":"1"'.length)
  })
})
