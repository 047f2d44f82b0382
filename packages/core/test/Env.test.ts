// What a change to an Env means: stated as laws over arbitrary changes and as tables where an edge has a name.
// Not here: how large it is (EnvSize.test.ts), what is read as one (EnvParse.test.ts).

import { describe, expect, it } from "@effect/vitest"
import * as Env from "../src/domain/Env.ts"
import {
  anyChanges,
  anyEntries,
  applied,
  changeOf,
  type Entries,
  envOf,
  naiveJson,
  naively,
  plain,
  walk
} from "./support/entries.ts"

/** What a change comes to, counted by comparing before and after. */
const recount = (before: ReadonlyMap<string, string>, entries: Entries) => {
  const next = naively(before, entries)
  const sent = new Map(entries)
  const names = (keys: Iterable<string>, kept: (key: string) => boolean) => [...keys].filter(kept).sort()
  return {
    env: [...next].sort(),
    keysSet: names(sent.keys(), (key) => Boolean(sent.get(key))),
    keysDeleted: names(before.keys(), (key) => !next.has(key)),
    changed: naiveJson(next) !== naiveJson(before)
  }
}

const union = (a: Env.EnvChange, b: Env.EnvChange): Env.EnvChange => new Map([...a, ...b])

const shown = ({ env, ...counts }: Env.EnvApplied) => ({ ...counts, env: plain(env) })

describe("Env.apply", () => {
  it.prop(
    "E3 changes one after the other are their union in one, however they are put together",
    [anyEntries, anyEntries, anyEntries, anyEntries],
    ([env, a, b, c]) => {
      const start = envOf(env)
      const [first, second, third] = [changeOf(a), changeOf(b), changeOf(c)]
      const oneByOne = applied(applied(applied(start, first).env, second).env, third).env
      const left = applied(applied(start, union(first, second)).env, third).env
      const right = applied(applied(start, first).env, union(second, third)).env
      const atOnce = applied(start, union(union(first, second), third)).env
      expect([left, right, atOnce].map(plain)).toEqual([oneByOne, oneByOne, oneByOne].map(plain))
    }
  )

  it.prop("E3 the order inside a change makes no difference", [anyEntries, anyEntries], ([env, a]) => {
    const change = changeOf(a)
    const reversed = new Map([...change].reverse())
    expect(shown(applied(envOf(env), reversed))).toEqual(shown(applied(envOf(env), change)))
  })

  it.prop("E3 a change applied again changes nothing", [anyEntries, anyEntries], ([env, a]) => {
    const once = applied(envOf(env), changeOf(a))
    const again = applied(once.env, changeOf(a))
    expect([again.changed, again.keysDeleted, plain(again.env)]).toEqual([false, [], plain(once.env)])
  })

  it.prop("E4 counts and outcome are those of a naive recount", [anyEntries, anyEntries], ([env, a]) => {
    expect(shown(applied(envOf(env), changeOf(a)))).toEqual(recount(naively(new Map(), env), a))
  })

  it.prop("INV-5 keys that a change does not name keep their values", [anyEntries, anyEntries], ([env, a]) => {
    const named = new Set(a.map(([key]) => key))
    const unnamed = (entries: ReadonlyArray<readonly [string, string]>) => entries.filter(([key]) => !named.has(key))
    expect(unnamed(plain(applied(envOf(env), changeOf(a)).env))).toEqual(unnamed(plain(envOf(env))))
  })

  it.prop("INV-5 an Env stays as it is, whatever is made of it", [anyChanges, anyEntries], ([changes, other]) => {
    const envs = walk(changes)
    for (const env of envs) applied(env, changeOf(other))
    let values: ReadonlyMap<string, string> = new Map()
    for (const [index, env] of envs.entries()) {
      if (index > 0) values = naively(values, changes[index - 1] ?? [])
      expect(plain(env)).toEqual([...values].sort())
    }
  })

  it("E4 counts the four steps of a walk", () => {
    const one = applied(
      Env.Env.empty,
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

describe("Env.replacing", () => {
  it.prop("E12 leaves what the change sets and nothing else", [anyEntries, anyEntries], ([env, a]) => {
    const start = envOf(env)
    const replaced = applied(start, Env.replacing(start, changeOf(a)))
    const wanted = naively(new Map(), a)
    expect(shown(replaced)).toEqual({
      env: [...wanted].sort(),
      keysSet: [...wanted.keys()].sort(),
      keysDeleted: start.keys().filter((key) => !wanted.has(key)),
      changed: naiveJson(wanted) !== naiveJson(plain(start))
    })
    expect(replaced.env.bytes).toBe(envOf(a).bytes)
  })

  it.prop(
    "E12 forgets what was there before: the last of two stays, and once more changes nothing",
    [anyEntries, anyEntries, anyEntries],
    ([env, a, b]) => {
      const first = applied(envOf(env), Env.replacing(envOf(env), changeOf(a))).env
      const second = applied(first, Env.replacing(first, changeOf(b))).env
      expect(plain(second)).toEqual(plain(envOf(b)))
      expect(applied(second, Env.replacing(second, changeOf(b)))).toMatchObject({ changed: false, keysDeleted: [] })
    }
  )

  it("E12 by nothing, or by empty values alone, empties it", () => {
    const env = envOf([
      ["A", "1"],
      ["B", "2"]
    ])
    for (const nothing of [
      [],
      [
        ["A", ""],
        ["NEVER", null]
      ]
    ] as const) {
      const { env: left, keysDeleted } = applied(env, Env.replacing(env, changeOf(nothing)))
      expect([left.size, left.bytes, keysDeleted]).toEqual([0, 2, ["A", "B"]])
    }
  })
})
