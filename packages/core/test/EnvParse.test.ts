// What is taken as a change of an Env from outside, and what is read back from rows.

import { describe, expect, it } from "@effect/vitest"
import { Inspectable, Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as Env from "../src/domain/Env.ts"
import { changesFromJson, changesToJson, fromCanonicalJson, toCanonicalJson } from "../src/domain/EnvJson.ts"
import { anyChanges, anyEntries, applied, changeOf, envOf, plain } from "./support/entries.ts"

const refusal = (entries: Iterable<readonly [string, unknown]>) =>
  Result.getOrThrow(Result.flip(Env.parseChange(entries)))

describe("Env.parseChange", () => {
  const plainKeys = ["A", "_", "__", "A1", "A".repeat(1024)]
  const lookalikes = ["__PROTO__", "CONSTRUCTOR", "PORTS", "PORT_2", "MY_PORT", "_LOCKKEEPER_X", "LOCKKEEPER"]

  it.each([...plainKeys, ...lookalikes])("E14 takes the key %s", (key) => {
    expect(plain(envOf([[key, "1"]]))).toEqual([[key, "1"]])
  })

  const notKeys: Readonly<Record<string, ReadonlyArray<string>>> = {
    "without a name": ["", " "],
    "in other letters": ["a", "aB", "\u00c9", "A-B", "A.B", "A=B", "1A"],
    "with spaces": ["A B", " A", "A ", "A\n"],
    "of Lockkeeper": ["PORT", "LOCKKEEPER_", "LOCKKEEPER_TOKEN"],
    "of every object": ["__proto__", "constructor", "toString"],
    "with hidden characters": ["A\0", "A\u202eB", "\u200bA", "A\u0007", "A\u2066", "\ufeffA", "A\u00adB", "A\u2028"],
    "with half a character": ["A\ud800", "\udc00A"],
    "longer than 1,024": ["A".repeat(1025)]
  }

  const each = Object.entries(notKeys).flatMap(([kind, group]) => group.map((key) => [kind, key] as const))

  it.each(each)("E14 refuses a key %s and names it: %j", (_, key) => {
    expect(
      refusal([
        ["GOOD", "1"],
        [key, "1"]
      ])
    ).toMatchObject({ _tag: "InvalidEnvKey", key })
    expect(refusal([[key, null]])).toMatchObject({ _tag: "InvalidEnvKey", key })
  })

  it.prop(
    "E14 refuses a key with any character that no name has, wherever it stands, before any value is looked at",
    [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff })), Schema.Literals(["", "A", "LONG_NAME"])],
    ([code, rest]) => {
      const character = String.fromCharCode(code)
      if ("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_".includes(character)) return
      for (const key of [`${character}${rest}`, `${rest}${character}`, `X${character}${rest}`]) {
        for (const value of ["1", "", null, "***", 7]) {
          expect(refusal([[key, value]])).toMatchObject({ _tag: "InvalidEnvKey", key })
        }
      }
    }
  )

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

  it("INV-11 keeps values redacted, whatever is printed of an Env and however deep somebody looks", () => {
    const change = changeOf([
      ["A", "canary"],
      ["B", "canary\n"]
    ])
    const outcome = applied(envOf([["A", "canary of before"]]), change)
    const { env } = outcome
    const things = [
      env,
      [...env],
      env.get(Env.EnvKey.make("A")),
      change,
      outcome,
      Env.replacing(env, change),
      toCanonicalJson(env),
      changesToJson([change, change]),
      Env.apply(env, changeOf([["C", "canary".repeat(20_000)]])),
      new Error("with an Env as its cause", { cause: { env, change } })
    ]
    for (const thing of things) {
      const printed = [
        JSON.stringify(thing),
        JSON.stringify({ thing }),
        String(thing),
        Inspectable.toStringUnknown(thing),
        inspect(thing, { depth: Infinity, showHidden: true, getters: true, showProxy: true, maxStringLength: null })
      ]
      expect(printed.join("\n")).not.toMatch(/canary/)
    }
    expect(Object.entries(env)).toEqual([["bytes", env.bytes]])
  })
})

describe("stored JSON", () => {
  it.prop("E10 of an Env is read back as it was", [anyEntries], ([entries]) => {
    const env = envOf(entries)
    expect(plain(Result.getOrThrow(fromCanonicalJson(toCanonicalJson(env))))).toEqual(plain(env))
  })

  it.prop("E10 of changes is read back as it was, and comes to the same", [anyChanges, anyEntries], ([list, env]) => {
    const shown = (each: Env.EnvChange) =>
      [...each]
        .map(([key, value]): [string, string | null] => [key, value === null ? null : Redacted.value(value)])
        .sort()
    const last = (changes: ReadonlyArray<Env.EnvChange>) =>
      plain(changes.reduce((present, change) => applied(present, change).env, envOf(env)))
    const changes = list.map(changeOf)
    for (const some of [changes, changes.slice(0, 1), [], [...changes, new Map(), ...changes]]) {
      const readBack = Result.getOrThrow(changesFromJson(changesToJson(some)))
      expect(readBack.map(shown)).toEqual(some.map(shown))
      expect(last(readBack)).toEqual(last(some))
    }
  })

  it.each(['[{"A":"1"},{"a":"1"}]', '[{"A":"***"}]', '[{"A":""}]', "[null]", "[[]]", '[{"A":"1"},"x"]', '[{"A":"1"}'])(
    "E10 of changes of which one is none is an error, and none of them is taken: %s",
    (json) => {
      expect(Result.isFailure(changesFromJson(Redacted.make(json)))).toBe(true)
    }
  )

  const corrupt: Readonly<Record<string, ReadonlyArray<string>>> = {
    "is no JSON": ["", "{", '{"A":"1"'],
    "is no object": ["null", "[1]", "1", '"x"', '[["A","1"]]'],
    "holds what is no text": ['{"A":1}', '{"A":["1"]}', '{"A":{"B":"1"}}', '{"A":true}'],
    "holds what is no key": ['{"a":"1"}', '{"PORT":"1"}', '{"constructor":"1"}', '{"A":"1","__proto__":"2"}'],
    "holds what is no value": ['{"A":""}', '{"A":"***"}', '{"A":"\\u0000"}', '{"A":"\\ud800"}']
  }

  const each = Object.entries(corrupt).flatMap(([kind, group]) => group.map((json) => [kind, json] as const))

  it.each(each)("E10 that %s is an error and never an empty Env: %s", (_, json) => {
    expect(Result.isFailure(fromCanonicalJson(Redacted.make(json)))).toBe(true)
    expect(Result.isFailure(changesFromJson(Redacted.make(json)))).toBe(true)
  })

  it("E10 of an Env never holds null, that of a change may", () => {
    const json = Redacted.make('{"A":null}')
    expect(Result.isFailure(fromCanonicalJson(json))).toBe(true)
    expect(Result.getOrThrow(changesFromJson(json)).map((change) => [...change])).toEqual([[["A", null]]])
  })

  it.each(['{"A":"canary"', '{"a":"canary"}', '{"A":["canary"]}', '{"A":"canary\\u0000"}'])(
    "INV-11 is not shown by the error that refuses it: %s",
    (json) => {
      const error = Result.getOrThrow(Result.flip(fromCanonicalJson(Redacted.make(json))))
      expect(`${error.message} ${JSON.stringify(error)} ${String(error)}`).not.toContain("canary")
    }
  )
})
