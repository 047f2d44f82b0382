// When a Run passes, fails, and when it has shown nothing: at the bounds, beside them, and without a number to compare.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { judge, type StepResult } from "../src/domain/StepResult.ts"
import { StepName } from "../src/domain/Topology.ts"
import { exitCodeOf, keeps, MetricName, type Metrics, type Threshold, Verdict, worst } from "../src/domain/Verdict.ts"

const p95 = (bounds: Omit<Threshold, "metric">): Threshold => ({ metric: MetricName.make("p95"), ...bounds })

const result = (more: Partial<StepResult> = {}): StepResult => ({
  name: StepName.make("s"),
  exitCode: 0,
  durationMillis: 1,
  metrics: {},
  failure: null,
  ...more
})

const measured = (...values: ReadonlyArray<Metrics>): ReadonlyArray<StepResult> =>
  values.map((metrics) => result({ metrics }))

const notRun = result({ exitCode: null, durationMillis: null, failure: { code: "not_run", detail: "it was not run" } })

describe("a threshold", () => {
  const next = 250.00000000000003

  it.each([
    ["at its max", { max: 250 }, 250, "pass"],
    ["just over its max", { max: 250 }, next, "fail"],
    ["under its max", { max: 250 }, -1, "pass"],
    ["at its min", { min: 250 }, 250, "pass"],
    ["just under its min", { min: next }, 250, "fail"],
    ["at both, which are one", { min: 0, max: 0 }, -0, "pass"],
    ["outside of both", { min: 1, max: 2 }, 3, "fail"],
    ["with NaN", { max: 250 }, NaN, "inconclusive"],
    ["with what is not finite", { max: 250 }, Infinity, "inconclusive"],
    ["with what is not finite on its good side", { max: 250 }, -Infinity, "inconclusive"]
  ] as const)("H39 %s", (_, bounds, value, verdict) => {
    assert.strictEqual(judge([p95(bounds)], measured({ p95: value })), verdict)
  })

  it("H39 for what was not measured, or without a sample, is inconclusive", () => {
    const threshold = p95({ max: 250 })
    const cases: ReadonlyArray<readonly [ReadonlyArray<StepResult>, Verdict]> = [
      [[], "inconclusive"],
      [measured({}), "inconclusive"],
      [measured({ p95Millis: 3 }), "inconclusive"],
      [measured({ p95: 0, "p95.samples": 0 }), "inconclusive"],
      [measured({ p95: 900, "p95.samples": 0 }), "inconclusive"],
      [measured({ p95: 3, "p95.samples": 1 }), "pass"]
    ]
    for (const [results, verdict] of cases) assert.strictEqual(judge([threshold], results), verdict)
    for (const metric of ["toString", "__proto__", "constructor"]) {
      const threshold = { metric: MetricName.make(metric), max: 1 }
      assert.strictEqual(keeps(threshold, [{}]), "inconclusive")
      assert.strictEqual(keeps(threshold, [{}, Object.fromEntries([[metric, 1]])]), "pass")
    }
  })

  it("H39 is kept in every step that has its metric, or it is not kept", () => {
    const threshold = p95({ max: 250 })
    assert.strictEqual(judge([threshold], measured({ p95: 1 }, {}, { p95: 2 })), "pass")
    assert.strictEqual(judge([threshold], measured({ p95: 251 }, { p95: 2 })), "fail")
    assert.strictEqual(judge([threshold], measured({ p95: NaN }, { p95: 251 })), "fail")
    assert.strictEqual(judge([threshold], measured({ p95: NaN }, { p95: 2 })), "inconclusive")
  })
})

describe("the verdict of a run", () => {
  it("H39 is a failure with any exit code but 0, whatever else is not known", () => {
    assert.strictEqual(judge([], [result(), result({ exitCode: 1 }), notRun]), "fail")
    assert.strictEqual(judge([p95({ max: 1 })], [result({ exitCode: 99, metrics: { p95: 0 } })]), "fail")
    const unread = { code: "result_unreadable", detail: "is not JSON" } as const
    assert.strictEqual(judge([], [result({ exitCode: 1, failure: unread })]), "fail")
    assert.strictEqual(judge([], [result({ failure: unread })]), "inconclusive")
  })

  it("H39 is inconclusive when a step did not run to its end", () => {
    assert.strictEqual(judge([], [result(), notRun]), "inconclusive")
    assert.strictEqual(judge([p95({ max: 1 })], [...measured({ p95: 0 }), notRun]), "inconclusive")
    assert.strictEqual(judge([p95({ max: 1 })], [...measured({ p95: 2 }), notRun]), "fail")
  })

  it("H39 is a pass when every step ended well and every threshold is kept; of nothing there is none", () => {
    assert.strictEqual(judge([], [result(), result()]), "pass")
    assert.strictEqual(judge([p95({ max: 1 })], measured({ p95: 1 })), "pass")
    assert.strictEqual(judge([], []), null)
  })

  it("H39 ends a program with 0, 1 or 2", () => {
    assert.deepStrictEqual(Verdict.literals.map(exitCodeOf), [0, 1, 2])
  })

  it("is the worst of its parts, in any order", () => {
    const rank = (verdict: Verdict) => ["pass", "inconclusive", "fail"].indexOf(verdict)
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...Verdict.literals)), (verdicts) => {
        assert.strictEqual(rank(worst(verdicts)), Math.max(0, ...verdicts.map(rank)))
      }),
      { seed: 41 }
    )
  })
})

describe("the names of metrics", () => {
  it("are printable and of at most 200 characters", () => {
    for (const name of ["p95", "http_req_duration{status:200}.p(95)", "Größe", "x".repeat(200)]) {
      assert.isTrue(Schema.is(MetricName)(name), name)
    }
    for (const name of ["", "a\n", "a\0", "\ud800", "x".repeat(201)]) assert.isFalse(Schema.is(MetricName)(name), name)
  })
})
