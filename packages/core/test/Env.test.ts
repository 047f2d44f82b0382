// What a change to an Env means: stated as laws over arbitrary changes and as tables where an edge has a name.

import { describe, expect, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import * as Env from "../src/domain/Env.ts"
import { anyEntries, applied, changeOf, type Entries, envOf, plain } from "./support/entries.ts"

const utf8Bytes = (text: string): number => Buffer.byteLength(text, "utf8")

/** The same merge over a plain map, counted by comparing before and after. */
const recount = (before: Entries, entries: Entries) => {
  const next = new Map(plain(envOf(before)))
  const last = new Map(entries)
  for (const [key, value] of last) {
    if (value === null || value === "") next.delete(key)
    else next.set(key, value)
  }
  const present = envOf(before)
  return {
    env: [...next].sort(),
    keysSet: [...last]
      .filter(([, value]) => value !== null && value !== "")
      .map(([key]) => key)
      .sort(),
    keysDeleted: plain(present)
      .map(([key]) => key)
      .filter((key) => !next.has(key))
      .sort(),
    changed: JSON.stringify([...next].sort()) !== JSON.stringify(plain(present))
  }
}

describe("Env.apply", () => {
  it.prop(
    "E3 two changes one after the other are their union in one",
    [anyEntries, anyEntries, anyEntries],
    ([env, a, b]) => {
      const start = envOf(env)
      const twice = applied(applied(start, changeOf(a)).env, changeOf(b)).env
      const once = applied(start, new Map([...changeOf(a), ...changeOf(b)])).env
      expect(plain(twice)).toEqual(plain(once))
    }
  )

  it.prop("E3 the order inside a change makes no difference", [anyEntries, anyEntries], ([env, a]) => {
    const change = changeOf(a)
    const reversed = new Map([...change].reverse())
    const [one, other] = [applied(envOf(env), change), applied(envOf(env), reversed)]
    expect({ ...one, env: plain(one.env) }).toEqual({ ...other, env: plain(other.env) })
  })

  it.prop("E3 a change applied again changes nothing", [anyEntries, anyEntries], ([env, a]) => {
    const once = applied(envOf(env), changeOf(a))
    const again = applied(once.env, changeOf(a))
    expect([again.changed, again.keysDeleted, plain(again.env)]).toEqual([false, [], plain(once.env)])
  })

  it.prop("E4 counts and outcome are those of a naive recount", [anyEntries, anyEntries], ([env, a]) => {
    const { keysSet, keysDeleted, changed, env: next } = applied(envOf(env), changeOf(a))
    expect({ env: plain(next), keysSet, keysDeleted, changed }).toEqual(recount(env, a))
  })

  it.prop("INV-5 keys that a change does not name keep their values", [anyEntries, anyEntries], ([env, a]) => {
    const named = new Set(a.map(([key]) => key))
    const unnamed = (entries: ReadonlyArray<readonly [string, string]>) => entries.filter(([key]) => !named.has(key))
    expect(unnamed(plain(applied(envOf(env), changeOf(a)).env))).toEqual(unnamed(plain(envOf(env))))
  })

  it.prop("INV-5 the Env that a change is applied to stays as it is", [anyEntries, anyEntries], ([env, a]) => {
    const start = envOf(env)
    applied(start, changeOf(a))
    expect(plain(start)).toEqual(plain(envOf(env)))
  })

  it("E4 counts the four steps of a walk", () => {
    const one = applied(
      Env.empty,
      changeOf([
        ["A", "1"],
        ["B", "2"],
        ["C", ""]
      ])
    )
    const two = applied(
      one.env,
      changeOf([
        ["A", "1"],
        ["D", "4"]
      ])
    )
    const three = applied(
      two.env,
      changeOf([
        ["B", null],
        ["NEVER", null],
        ["D", ""]
      ])
    )
    const four = applied(
      three.env,
      changeOf([
        ["A", "5"],
        ["B", "6"],
        ["D", null]
      ])
    )
    const counts = [one, two, three, four].map(({ keysSet, keysDeleted, env }) => [
      keysSet.length,
      keysDeleted.length,
      env.size
    ])
    expect(counts).toEqual([
      [2, 0, 2],
      [2, 0, 3],
      [0, 2, 1],
      [2, 0, 2]
    ])
  })

  it("E3 an empty change, and one that sets what is there, change nothing", () => {
    const env = envOf([["A", "1"]])
    expect(applied(env, changeOf([])).changed).toBe(false)
    expect(
      applied(
        env,
        changeOf([
          ["A", "1"],
          ["B", null],
          ["C", ""]
        ])
      ).changed
    ).toBe(false)
  })
})

describe("the size of an Env", () => {
  const filling = (filler: string, bytes: number) => {
    const room = bytes - utf8Bytes('{"A":""}')
    const width = utf8Bytes(JSON.stringify(filler)) - 2
    return filler.repeat(Math.floor(room / width)) + "x".repeat(room % width)
  }

  const fillers = ["x", "é", "€", "\u{1F512}", "\n", "\u0001", '"', "\u2028"]

  it.each(fillers)("E2 is counted in bytes of its JSON, to the last one, with %j", (filler) => {
    for (const bytes of [65_535, 65_536]) {
      const outcome = applied(Env.empty, changeOf([["A", filling(filler, bytes)]]))
      expect([outcome.bytes, outcome.changed]).toEqual([bytes, true])
    }
    const tooLarge = Result.flip(Env.apply(Env.empty, changeOf([["A", filling(filler, 65_537)]])))
    expect(Result.getOrThrow(tooLarge)).toMatchObject({ _tag: "EnvTooLarge", limit: 65_536, actual: 65_537 })
  })

  it("E2 is that of the result, so that a change may delete as much as it adds", () => {
    const full = envOf([["A", filling("x", 65_536)]])
    expect(
      applied(
        full,
        changeOf([
          ["A", null],
          ["B", filling("x", 65_536)]
        ])
      ).bytes
    ).toBe(65_536)
    expect(Result.isFailure(Env.apply(full, changeOf([["B", "1"]])))).toBe(true)
  })

  it.prop("E2 is the length of the JSON that a naive encoder makes", [anyEntries], ([entries]) => {
    const env = envOf(entries)
    const naive = JSON.stringify(Object.fromEntries(plain(env).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    expect([Redacted.value(Env.toCanonicalJson(env)), Env.sizeBytes(env)]).toEqual([naive, utf8Bytes(naive)])
  })
})
