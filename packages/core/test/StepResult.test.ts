// What a step came to: its exit code whatever became of its file, the numbers that its file holds, and nothing of a file
// that is not what it says.
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as fc from "fast-check"

import {
  jsonMetrics,
  maxMetrics,
  maxResultBytes,
  type ResultReaders,
  ResultUnreadable,
  stepEnded,
  stepFailed,
  StepResult
} from "../src/domain/StepResult.ts"
import { planned, topology } from "./support/topologies.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const read = (text: string) => Result.getOrThrow(jsonMetrics(bytes(text)))

const refusal = (file: Uint8Array) => Result.getOrThrow(Result.flip(jsonMetrics(file)))

const readers: ResultReaders = {
  json: jsonMetrics,
  junit: () => Result.fail(new ResultUnreadable({ detail: "is for another reader" }))
}

const step = (resultFile?: string) => {
  const declared = {
    name: "s",
    node: "x",
    command: ["true"] as const,
    ...(resultFile === undefined ? {} : { resultFile })
  }
  const { steps } = planned(topology({ nodes: [{ name: "x", image: "a:1" }], steps: [declared] }))
  return steps[0] ?? assert.fail("it has a step")
}

const ended = (exitCode: number, file?: Uint8Array, name = "out.json") =>
  stepEnded(step(name), { exitCode, durationMillis: 12 }, file, readers)

describe("the numbers of a JSON file", () => {
  it("H39 are those at its top, and those of objects in it under the names of both", () => {
    assert.deepStrictEqual(read(`{"p95": 12.5, "http": {"errors": 0, "by": {"code.500": -1}}}`), {
      p95: 12.5,
      "http.errors": 0,
      "http.by.code.500": -1
    })
    assert.deepStrictEqual(read(`\uFEFF{"p95": {"value": 3, "samples": 10, "unit": "ms"}, "value": 1}`), {
      p95: 3,
      "p95.samples": 10,
      value: 1
    })
  })

  it("H39 are numbers only: null, as NaN is written, text, lists and what is too large are not there", () => {
    assert.deepStrictEqual(read(`{"a": null, "b": "1", "c": [1], "d": true, "e": 1e999, "f": -1e999, "g": {}}`), {})
  })

  it("H39 of any flat object come back as they were", () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 50 })
      .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text))
    const numbers = fc.dictionary(name, fc.double({ noNaN: true, noDefaultInfinity: true }))
    fc.assert(
      fc.property(numbers, (metrics) => {
        const found = read(JSON.stringify(metrics))
        assert.deepStrictEqual(Object.entries(found), Object.entries(JSON.parse(JSON.stringify(metrics))))
      }),
      { seed: 39 }
    )
  })

  it("H39 of hostile names are data, and change nothing else", () => {
    const found = read(`{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"x": 2}}, "toString": 3}`)
    assert.deepStrictEqual(Object.entries(found), [
      ["__proto__.polluted", 1],
      ["constructor.prototype.x", 2],
      ["toString", 3]
    ])
    assert.deepStrictEqual(Object.keys(read(`{"__proto__": 7}`)), ["__proto__"])
    assert.isFalse("polluted" in {})
  })

  it("H39 are not read from what is no JSON object, too deep, ambiguous, or too many", () => {
    const many = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, i])))
    const deep = (depth: number) => `${`{"a":`.repeat(depth)}1${"}".repeat(depth)}`
    const wrong = ["", "{", "[1]", "1", "null", "NaN", `{"a": NaN}`, deep(18), deep(20_000), "[".repeat(100_000)]
    const ambiguous = [
      `{"a.b": 1, "a": {"b": 2}}`,
      `{"a": 1, "b": {"": 0}, "": 1}`,
      `{"${"x".repeat(201)}": 1}`,
      `{"a\\n": 1}`
    ]
    for (const text of [...wrong, ...ambiguous, many(maxMetrics + 1)]) {
      const { detail } = refusal(bytes(text))
      assert.match(detail, /^(?:is|has) ./, text.slice(0, 60))
    }
    refusal(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))
    assert.strictEqual(Object.keys(read(many(maxMetrics))).length, maxMetrics)
    assert.deepStrictEqual(Object.values(read(deep(17))), [1])
  })

  it("are read from anything, or it is said why not: nothing is thrown", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytes)), (file) => {
        const result = jsonMetrics(file)
        if (Result.isSuccess(result)) assert.isTrue(Object.values(result.success).every(Number.isFinite))
        else assert.strictEqual(result.failure._tag, "ResultUnreadable")
      }),
      { seed: 40 }
    )
  })
})

describe("a step that has ended", () => {
  it("H39 has its exit code, its duration and what it measured", () => {
    assert.deepStrictEqual(ended(0, bytes(`{"p95": 3}`)), {
      name: step().name,
      exitCode: 0,
      durationMillis: 12,
      metrics: { p95: 3 },
      failure: null
    })
  })

  it("H39 has its exit code also when its file is not there, too large, or not what its name says", () => {
    const large = new Uint8Array(maxResultBytes + 1).fill(32)
    large.set(bytes("{}"))
    const cases: ReadonlyArray<readonly [Uint8Array | undefined, string, string | undefined]> = [
      [undefined, "out.json", "result_missing"],
      [large, "out.json", "result_too_large"],
      [large.subarray(1), "out.json", "result_unreadable"],
      [large.subarray(0, -1), "out.json", undefined],
      [bytes("<html>"), "out.json", "result_unreadable"],
      [bytes("{}"), "out.xml", "result_unreadable"]
    ]
    for (const [file, name, code] of cases) {
      for (const exitCode of [0, 99]) {
        const result = ended(exitCode, file, name)
        assert.deepStrictEqual([result.exitCode, result.failure?.code, result.metrics], [exitCode, code, {}])
      }
    }
    assert.strictEqual(ended(0, bytes("{}"), "out.xml").failure?.detail, "out.xml is for another reader")
  })

  it("needs no file that it did not declare", () => {
    const result = stepEnded(step(), { exitCode: 3, durationMillis: 1 }, undefined, readers)
    assert.deepStrictEqual([result.exitCode, result.failure], [3, null])
  })

  it("comes back from a row as it was, also when it never began", () => {
    const codec = Schema.fromJsonString(Schema.toCodecJson(StepResult))
    const results = [
      ended(1, bytes(`{"a": 1, "__proto__": 2}`)),
      stepFailed(step(), { code: "not_run", detail: "a step before it failed" }),
      stepFailed(step(), { code: "timed_out", detail: "after 600 s" }, 600_000)
    ]
    for (const result of results) {
      const back = Schema.decodeUnknownSync(codec)(Schema.encodeSync(codec)(result))
      assert.deepStrictEqual(Object.entries(back.metrics), Object.entries(result.metrics))
      assert.deepStrictEqual({ ...back, metrics: {} }, { ...result, metrics: {} })
    }
  })
})
