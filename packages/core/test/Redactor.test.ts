// What is secret is in no line, in whatever form it is said and wherever its line was cut; everything else is said as it was.

import { describe, expect, it } from "@effect/vitest"
import { Redacted, Schema } from "effect"
import type { LogEntry } from "../src/domain/LogLine.ts"
import { makeRedactor, secretsOf } from "../src/domain/Redactor.ts"
import { minSecretLength } from "../src/domain/secretForms.ts"
import { GitSource } from "../src/domain/Source.ts"
import { envOf } from "./support/entries.ts"

const of = (...secrets: ReadonlyArray<string>) => makeRedactor(secrets.map((secret) => Redacted.make(secret)))

/** What is kept of one line that comes in these pieces. */
const kept = (redactor: ReturnType<typeof of>, pieces: ReadonlyArray<string>): ReadonlyArray<string> => {
  const log = redactor.log()
  const said = pieces.flatMap((line, index) =>
    log.push(index === pieces.length - 1 ? { stream: "stdout", line } : { stream: "stdout", line, isCut: true })
  )
  return [...said, ...log.end()].map(({ line }) => line)
}

const line = (redactor: ReturnType<typeof of>, text: string): string => kept(redactor, [text]).join("|")

const bytes = (text: string) => Buffer.from(text)

/** A secret as programs print it. */
const forms = (secret: string): ReadonlyArray<string> => [
  secret,
  bytes(secret).toString("base64"),
  bytes(secret).toString("base64url"),
  encodeURIComponent(secret),
  encodeURIComponent(secret).toLowerCase().includes("%") ? encodeURIComponent(secret) : secret,
  new URLSearchParams({ a: secret }).toString().slice(2),
  JSON.stringify(secret).slice(1, -1),
  JSON.stringify(JSON.stringify(secret)).slice(3, -3)
]

const isOneLine = (text: string): boolean => !/[\r\n]/.test(text)

const AnySecret = Schema.String.check(
  Schema.isMinLength(minSecretLength),
  Schema.isMaxLength(40),
  Schema.makeFilter(
    (text: string) => text.isWellFormed() && text === text.trim() && isOneLine(text) && !text.includes("*")
  )
)
const AnyText = Schema.String.check(
  Schema.isMaxLength(20),
  Schema.makeFilter((text: string) => text.isWellFormed())
)
const AnyCuts = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))).check(
  Schema.isMaxLength(4)
)

/** The same text in pieces. */
const cutAt = (text: string, cuts: ReadonlyArray<number>): ReadonlyArray<string> => {
  const ends = [...new Set(cuts.map((cut) => Math.min(cut, text.length)))].sort((a, b) => a - b)
  return [...ends, text.length].map((end, index) => text.slice(index === 0 ? 0 : ends[index - 1], end))
}

describe("a line", () => {
  it.prop(
    "INV-11: holds no secret, as it is, in base64, in a URL or in JSON, whatever stands around it",
    [AnySecret, AnySecret, AnyText, AnyText],
    ([secret, other, before, after]) => {
      const redactor = of(secret, other)
      for (const form of forms(secret)) {
        expect(line(redactor, `${before}${form}${after}`)).not.toContain(form)
      }
    }
  )

  it.prop(
    "INV-11: holds no secret in the base64 of what it stands in, however that is aligned",
    [AnySecret, AnyText, AnyText],
    ([secret, before, after]) => {
      const redactor = of(secret)
      for (const alphabet of ["base64", "base64url"] as const) {
        const said = bytes(`${before}${secret}${after}`).toString(alphabet)
        const shown = line(redactor, said)
        expect(shown).toContain("***")
        const known = shown.split("***").reduce((most, part) => Math.max(most, part.length), 0)
        expect(known).toBeLessThanOrEqual(Math.max(bytes(before).length, bytes(after).length) * 2 + 8)
      }
    }
  )

  it.prop(
    "INV-11: holds no secret when it was cut, and is in as many pieces as before",
    [AnySecret, AnyText, AnyText, AnyCuts],
    ([secret, before, after, cuts]) => {
      const redactor = of(secret)
      for (const form of forms(secret)) {
        const pieces = cutAt(`${before}${form}${after}`, cuts)
        const shown = kept(redactor, pieces)
        expect(shown.length).toBe(pieces.length)
        expect(shown.join("")).toBe(line(redactor, `${before}${form}${after}`))
      }
    }
  )

  it.prop("is as it was said where there is no secret in it", [AnyText, AnyCuts], ([text, cuts]) => {
    const redactor = of("\u{1F511} not in there \u{1F511}", "another, longer one")
    const pieces = cutAt(text, cuts)
    expect(kept(redactor, pieces)).toStrictEqual(pieces)
    expect(redactor.text(text)).toBe(text)
  })

  it("INV-11: shows one mask for secrets that overlap or touch, and none for its own pieces", () => {
    const redactor = of("abcdefgh", "efghijkl", "ijklmnop", "fghijk")
    expect(line(redactor, "<abcdefghijklmnop>")).toBe("<***>")
    expect(line(redactor, "<efghijklabcdefgh efghij>")).toBe("<*** efghij>")
    expect(kept(redactor, ["<abcd", "efgh", "ijklmnop>"])).toStrictEqual(["<***", "", ">"])
  })

  it("INV-11: holds no line of a secret that has several, nor all of it in one line", () => {
    const secret = '{\r\n  "key": "hush, hush",\n  "id": 7\n}\n'
    const redactor = of(secret)
    expect(line(redactor, '\t"key": "hush, hush",')).toBe("\t***")
    expect(line(redactor, '"id": 7')).toBe("***")
    expect(line(redactor, "{")).toBe("{")
    for (const form of forms(secret).filter(isOneLine)) expect(line(redactor, form)).not.toContain(form)
    expect(line(redactor, JSON.stringify({ secret }))).toMatch(/^\{"secret":"[^a-z]*\*\*\*[^a-z]*"\}$/)
  })

  it("INV-11: holds no secret in other spellings of an escape", () => {
    const redactor = of("p/\u00e9 'ss\u{1F511}")
    for (const spelling of [
      "p%2f%c3%a9%20'ss%f0%9f%94%91",
      "p/%C3%A9+%27ss%F0%9F%94%91",
      "p\\/\u00e9 'ss\u{1F511}",
      "p/\\u00e9 'ss\\ud83d\\udd11",
      "p/\\u00E9 'ss\\uD83D\\uDD11",
      "p/\\\\u00e9 'ss\\\\ud83d\\\\udd11"
    ]) {
      expect(line(redactor, `a ${spelling} b`), spelling).toBe("a *** b")
    }
  })

  it(`is left alone where a secret has fewer than ${minSecretLength} characters`, () => {
    expect(line(of("12345", "", "\n\n"), "12345")).toBe("12345")
    expect(line(of("123456"), "123456")).toBe("***")
  })
})

describe("a log", () => {
  const stdout = (line: string, isCut = false): LogEntry => ({ stream: "stdout", line, ...(isCut ? { isCut } : {}) })

  it("keeps a cut line at once, unless its end may be the beginning of a secret", () => {
    const log = of("hush, you").log()
    expect(log.push(stdout("abc", true))).toStrictEqual([stdout("abc", true)])
    expect(log.push(stdout("abc hush", true))).toStrictEqual([])
    expect(log.push({ stream: "stderr", line: ", you" })).toStrictEqual([{ stream: "stderr", line: ", you" }])
    expect(log.push(stdout(", you", true))).toStrictEqual([stdout("abc ***", true), stdout("", true)])
    expect(log.push(stdout("d"))).toStrictEqual([stdout("d")])
  })

  it("joins nothing across the end of a line", () => {
    const log = of("hush, hush").log()
    expect([...log.push(stdout("hush, ")), ...log.push(stdout("hush"))]).toStrictEqual([
      stdout("hush, "),
      stdout("hush")
    ])
  })

  it("INV-11: ends with no long beginning of a secret", () => {
    const log = of("hush, hush").log()
    expect(log.push(stdout("a hush, h", true))).toStrictEqual([])
    expect(log.end()).toStrictEqual([stdout("a ***", true)])
    expect(log.end()).toStrictEqual([])
    expect(log.push(stdout("a hush", true))).toStrictEqual([])
    expect(log.end()).toStrictEqual([stdout("a hush", true)])
  })
})

describe("an error", () => {
  it("INV-11: shows no secret, nor the beginning of one that was cut off", () => {
    const redactor = of("hush, hush")
    expect(redactor.text("cannot read hush, hush: gone")).toBe("cannot read ***: gone")
    expect(redactor.text("cannot read hush, hu")).toBe("cannot read ***")
    expect(redactor.text("cannot read hush")).toBe("cannot read hush")
  })
})

describe("the secrets of a Deployment", () => {
  it("INV-11: are the values of its Env and the lines of its deploy key", () => {
    const key = "-----BEGIN OPENSSH PRIVATE KEY-----\nQUJDREVGR0g=\nSUpLTE1OT1A=\n-----END OPENSSH PRIVATE KEY-----\n"
    const source = Schema.decodeUnknownSync(GitSource)({
      type: "git",
      url: "git@example.com:a/b",
      knownHosts: "example.com ssh-ed25519 AAAA",
      deployKey: key
    })
    const redactor = makeRedactor(secretsOf(envOf([["A", "one of the Env"]]), source))
    expect(line(redactor, "one of the Env, SUpLTE1OT1A=")).toBe("***, ***")
    expect(line(makeRedactor(secretsOf(envOf([["A", "1234567"]]))), "1234567 SUpLTE1OT1A=")).toBe("*** SUpLTE1OT1A=")
  })
})

describe("how long it takes", () => {
  const time = (work: () => unknown): number => {
    const start = performance.now()
    work()
    return performance.now() - start
  }

  it("U1: is that of the text, however many secrets there are and however nearly it holds them", () => {
    const secrets = Array.from({ length: 500 }, (_, index) => `${"a".repeat(60)}${index}`)
    const many = of(...secrets, "a".repeat(20_000) + "b")
    const nearly = "a".repeat(1_000_000)
    line(many, nearly)
    expect(time(() => line(many, nearly))).toBeLessThan(2_000)
  })
})
