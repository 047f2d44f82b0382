// What a change to an Env means: stated as laws over arbitrary changes and as tables where an edge has a name.

import { describe, expect, it } from "@effect/vitest"
import { Redacted, Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import * as Env from "../src/domain/Env.ts"

type Entries = ReadonlyArray<readonly [string, string | null]>

// Few keys, so that changes meet; some are named like what every object has.
const Key = Schema.Literals(["A", "B", "C_1", "_", "__PROTO__", "CONSTRUCTOR", "TOSTRING", "VALUEOF"])
const Entry = Schema.Tuple([Key, Schema.NullOr(Env.EnvValue)])
const anyEntries: Arbitrary.Arbitrary<Entries> = Arbitrary.array(Arbitrary.schema(Entry), { maxLength: 12 })

const changeOf = (entries: Entries): Env.EnvChange => Result.getOrThrow(Env.parseChange(entries))
const applied = (env: Env.Env, change: Env.EnvChange): Env.EnvApplied => Result.getOrThrow(Env.apply(env, change))
const envOf = (entries: Entries): Env.Env => applied(Env.empty, changeOf(entries)).env
const refusal = (entries: Iterable<readonly [string, unknown]>) =>
  Result.getOrThrow(Result.flip(Env.parseChange(entries)))
const plain = (env: Env.Env) => [...env].map(([key, value]): [string, string] => [key, Redacted.value(value)]).sort()
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
    const naive = JSON.stringify(Object.fromEntries(plain(env).sort(([a], [b]) => (a < b ? -1 : 1))))
    expect([Redacted.value(Env.toCanonicalJson(env)), Env.sizeBytes(env)]).toEqual([naive, utf8Bytes(naive)])
  })
})

describe("Env.parseChange", () => {
  const keys = [
    "A",
    "_",
    "__",
    "A1",
    "__PROTO__",
    "CONSTRUCTOR",
    "PORTS",
    "PORT_2",
    "MY_PORT",
    "_LOCKKEEPER_X",
    "LOCKKEEPER",
    "A".repeat(1024)
  ]

  it.each(keys)("E14 takes the key %s", (key) => {
    expect(plain(envOf([[key, "1"]]))).toEqual([[key, "1"]])
  })

  const notKeys = [
    ...[
      "",
      "a",
      "aB",
      "1A",
      "A-B",
      "A.B",
      "A B",
      " A",
      "A ",
      "A\n",
      "A\0",
      "\u00c9",
      "A=B",
      "PORT",
      "LOCKKEEPER_",
      "LOCKKEEPER_TOKEN"
    ],
    ...[
      "__proto__",
      "constructor",
      "toString",
      "A\u202eB",
      "\u200bA",
      "A\u0007",
      "A\u2066",
      "\ufeffA",
      "A".repeat(1025)
    ]
  ]

  it.each(notKeys)("E14 refuses the key %j and names it", (key) => {
    expect(
      refusal([
        ["GOOD", "1"],
        [key, "1"]
      ])
    ).toMatchObject({ _tag: "InvalidEnvKey", key })
    expect(refusal([[key, null]])).toMatchObject({ _tag: "InvalidEnvKey", key })
  })

  const notValues: ReadonlyArray<readonly [string, unknown]> = [
    ["the mask", "***"],
    ["NUL", "a\0b"],
    ["a lone high surrogate", "a\ud800"],
    ["a lone low surrogate", "\udc00b"],
    ["surrogates in the wrong order", "\udc00\ud800"],
    ["a number", 1],
    ["a boolean", false],
    ["nothing", undefined],
    ["an object", { toString: () => "1" }],
    ["a list", ["1"]]
  ]

  it.each(notValues)("INV-5 refuses %s as a value, names the key and does not show it", (_, value) => {
    const error = refusal([
      ["GOOD", "1"],
      ["BAD", value]
    ])
    expect(error).toMatchObject({ _tag: "InvalidEnvValue", key: "BAD" })
    expect(Object.keys(JSON.parse(JSON.stringify(error)))).not.toContain("value")
  })

  const values = ["1", "****", "** *", " ", "\n", "\u{1F512}", "\u202e", "null", '{"a":1}', "x".repeat(70_000)]

  it.each(values.map((value) => [value.slice(0, 12), value] as const))("E3 takes the value %j", (_, value) => {
    expect(Redacted.value(changeOf([["A", value]]).get(Env.EnvKey.make("A")) ?? Redacted.make(""))).toBe(value)
  })

  it("E3 reads null and the empty string as: delete", () => {
    expect([
      ...changeOf([
        ["A", null],
        ["B", ""]
      ]).values()
    ]).toEqual([null, null])
  })

  it("INV-11 keeps values redacted in what is printed", () => {
    const outcome = applied(Env.empty, changeOf([["A", "canary"]]))
    expect(`${JSON.stringify([...outcome.env])} ${String([...outcome.env])}`).not.toContain("canary")
    expect(String(Env.toCanonicalJson(outcome.env))).not.toContain("canary")
  })
})

describe("stored JSON", () => {
  it.prop("E10 of an Env is read back as it was", [anyEntries], ([entries]) => {
    const env = envOf(entries)
    expect(plain(Result.getOrThrow(Env.fromCanonicalJson(Env.toCanonicalJson(env))))).toEqual(plain(env))
  })

  it.prop("E10 of a change is read back as it was", [anyEntries], ([entries]) => {
    const change = changeOf(entries)
    const shown = (each: Env.EnvChange) =>
      [...each]
        .map(([key, value]): [string, string | null] => [key, value === null ? null : Redacted.value(value)])
        .sort()
    expect(shown(Result.getOrThrow(Env.changeFromJson(Env.changeToJson(change))))).toEqual(shown(change))
  })

  const corrupt = [
    ...["", "null", "[]", "1", '"x"', "{", '{"A":1}', '{"A":["1"]}', '{"A":{"B":"1"}}', '{"a":"1"}', '{"PORT":"1"}'],
    ...[
      '{"A":"1","__proto__":"2"}',
      '{"constructor":"1"}',
      '{"A":""}',
      '{"A":"***"}',
      '{"A":"\\u0000"}',
      '{"A":"\\ud800"}'
    ]
  ]

  it.each(corrupt)("E10 that is not an Env is an error and never an empty Env: %s", (json) => {
    expect(Result.isFailure(Env.fromCanonicalJson(Redacted.make(json)))).toBe(true)
    expect(Result.isFailure(Env.changeFromJson(Redacted.make(json)))).toBe(true)
  })

  it("E10 of an Env never holds null, that of a change may", () => {
    const json = Redacted.make('{"A":null}')
    expect(Result.isFailure(Env.fromCanonicalJson(json))).toBe(true)
    expect([...Result.getOrThrow(Env.changeFromJson(json))]).toEqual([["A", null]])
  })

  it.each(['{"A":"canary"', '{"a":"canary"}', '{"A":["canary"]}', '{"A":"canary\\u0000"}'])(
    "INV-11 is not shown by the error that refuses it: %s",
    (json) => {
      const error = Result.getOrThrow(Result.flip(Env.fromCanonicalJson(Redacted.make(json))))
      expect(`${error.message} ${JSON.stringify(error)} ${String(error)}`).not.toContain("canary")
    }
  )
})
