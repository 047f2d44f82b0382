// JUnit files of several runners are counted; hostile and broken ones are refused at once, whatever they hold.
import { assert, describe, it } from "@effect/vitest"
import { maxResultBytes } from "@lockkeeper/core/domain/StepResult"
import { Result } from "effect"
import * as fc from "fast-check"
import { junitMetrics } from "../src/JunitMetrics.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const read = (text: string) => Result.getOrThrow(junitMetrics(bytes(text)))

const refusal = (file: Uint8Array): string => Result.getOrThrow(Result.flip(junitMetrics(file))).detail

describe("a JUnit file", () => {
  it("H39 is counted by its cases, each once, and not by what its suites say", () => {
    const text = `<?xml version="1.0" encoding="UTF-8"?>
      <testsuites tests="999" failures="0">
        <testsuite name="a &amp; b &#x41;"><properties><property name="error" value="failure"/></properties>
          <testcase name="one" time="0.5"/>
          <testcase name="two" time="1,000.25"><failure message="no"><![CDATA[<error/>]]></failure></testcase>
          <testcase name="three" time="0"><failure/><error/><failure/></testcase>
          <testsuite name="inner"><testcase name="four" time="1e-3"><skipped/></testcase></testsuite>
          <testcase name="five" time="2"><system-out><error/></system-out></testcase>
          <error>of the suite</error>
        </testsuite>
      </testsuites>`
    assert.deepStrictEqual(read(text), { tests: 5, passed: 2, failures: 1, errors: 1, skipped: 1, seconds: 1002.751 })
    assert.deepStrictEqual(read(`\uFEFF<testsuite><testcase/></testsuite>`), {
      tests: 1,
      passed: 1,
      failures: 0,
      errors: 0,
      skipped: 0
    })
  })

  it("H39 without a case has measured that it has none, and nothing else", () => {
    for (const text of ["<testsuites/>", `<testsuite tests="3" failures="0"></testsuite>`]) {
      assert.deepStrictEqual(read(text), { tests: 0 })
    }
  })

  it("H39 has no seconds when a case does not say its own", () => {
    for (const time of ["", `time=""`, `time="-1"`, `time="NaN"`, `time="1e999"`, `time="0x10"`, `time="1 s"`]) {
      const found = read(`<testsuite><testcase time="1"/><testcase ${time}/></testsuite>`)
      assert.deepStrictEqual([found["tests"], "seconds" in found], [2, false], time)
    }
  })

  const entities = Array.from(
    { length: 9 },
    (_, index) => `<!ENTITY e${index + 1} "${`&e${index};`.repeat(10)}">`
  ).join("")
  const nested = (depth: number) =>
    `<testsuites>${"<testsuite>".repeat(depth)}${"</testsuite>".repeat(depth)}</testsuites>`

  const hostile: Readonly<Record<string, string>> = {
    "a billion laughs": `<!DOCTYPE x [<!ENTITY e0 "ha">${entities}]><testsuite>&e9;</testsuite>`,
    "a file of the host": `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite>&f;</testsuite>`,
    "a document type of elsewhere": `<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:1/x.dtd"><testsuite/>`,
    "a document type that does not end": `<!DOCTYPE x [${"<!ENTITY a 'b'>".repeat(20_000)}`,
    "an entity that nobody knows": "<testsuite>&e0;</testsuite>",
    "too deep elements": nested(64),
    "much too deep elements": "<testsuite>".repeat(90_000),
    "a case in a case": "<testsuite><testcase><x><testcase/></x></testcase></testsuite>",
    "another root": "<html><testcase/></html>",
    "two roots": "<testsuite/><testsuite/>",
    "no end": "<testsuite><testcase/>",
    "an end of another": "<testsuite><testcase></testsuite></testcase>",
    "an attribute twice": `<testsuite><testcase time="1" time="2"/></testsuite>`,
    "no XML": "ok 1 - works",
    nothing: "",
    NUL: "<testsuite>\0</testsuite>",
    "a long attribute that does not end": `<testsuite name="${"x".repeat(maxResultBytes - 20)}`
  }

  it.each(Object.entries(hostile))("H39 with %s is refused in no time, and nothing of it is shown", (_, text) => {
    const start = performance.now()
    const detail = refusal(bytes(text))
    assert.isBelow(performance.now() - start, 2_000)
    assert.match(
      detail,
      /^(?:is not XML in UTF-8|is not a JUnit file|has a document type, .*|has .* deep|has a test case in another)$/
    )
  })

  it("H39 that is not UTF-8 is refused", () => {
    assert.strictEqual(refusal(new Uint8Array([0xff, 0xfe, 0x3c, 0x00])), "is not XML in UTF-8")
  })

  it("is as deep as it may be", () => {
    assert.deepStrictEqual(read(nested(63)), { tests: 0 })
  })

  it("H39 with names of prototypes changes nothing", () => {
    const text = `<testsuite><testcase time="1" __proto__="x" constructor="y"><__proto__/><constructor/></testcase></testsuite>`
    assert.deepStrictEqual(read(text), { tests: 1, passed: 1, failures: 0, errors: 0, skipped: 0, seconds: 1 })
  })

  it("of a megabyte is read in less than two seconds", () => {
    const one = `<testcase name="x" time="0.1"><failure>f</failure></testcase>`
    const count = Math.floor((maxResultBytes - 50) / one.length)
    const start = performance.now()
    const found = read(`<testsuite>${one.repeat(count)}</testsuite>`)
    assert.isBelow(performance.now() - start, 2_000)
    assert.deepStrictEqual([found["tests"], found["failures"]], [count, count])
  })

  it("is read from anything, or it is said why not: nothing is thrown", () => {
    const pieces = fc.constantFrom(
      "<testsuite>",
      "</testsuite>",
      "<testcase",
      " time='1'",
      "/>",
      ">",
      "<failure/>",
      "&",
      "<!",
      "]]>",
      "x"
    )
    const text = fc.array(pieces, { maxLength: 12 }).map((parts) => bytes(parts.join("")))
    fc.assert(
      fc.property(fc.oneof(text, fc.uint8Array({ maxLength: 100 })), (file) => {
        const result = junitMetrics(file)
        if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "ResultUnreadable")
        else assert.isTrue(Object.values(result.success).every((value) => value >= 0))
      }),
      { seed: 42, numRuns: 500 }
    )
  })
})
