// Whether what the steps of a Run measured is what was demanded. Not here: how it is read from a file (StepResult.ts).
import { Schema } from "effect"

/** The name of a Metric: up to 200 characters, none of them a control character. */
export const MetricName = Schema.String.check(Schema.isPattern(/^[^\p{Cc}\p{Cs}]{1,200}$/u)).pipe(
  Schema.brand("MetricName")
)

/** The type of {@link MetricName}. */
export type MetricName = typeof MetricName.Type

/** What was measured, by name. Units are part of the names: `p95Millis`. */
export const Metrics = Schema.Record(Schema.String, Schema.Finite)

/** The type of {@link Metrics}. */
export type Metrics = typeof Metrics.Type

const hasBounds = Schema.makeFilter(
  ({ max = Infinity, min = -Infinity }: { readonly max?: number; readonly min?: number }) =>
    ((max !== Infinity || min !== -Infinity) && min <= max) || "a min or a max, the min not above the max"
)

/** What a Metric must keep to: not more than `max`, not less than `min`; both belong to what passes. */
export const Threshold = Schema.Struct({
  metric: MetricName,
  max: Schema.optionalKey(Schema.Finite),
  min: Schema.optionalKey(Schema.Finite)
}).check(hasBounds)

/** The type of {@link Threshold}. */
export interface Threshold extends Schema.Schema.Type<typeof Threshold> {}

/** What a Run has shown. `inconclusive`: nothing failed, and something was not measured or not run. */
export const Verdict = Schema.Literals(["pass", "fail", "inconclusive"])

/** The type of {@link Verdict}. */
export type Verdict = typeof Verdict.Type

/** With what a program ends that tells a Verdict: 0, 1 for `fail`, 2 for `inconclusive`. */
export const exitCodeOf = (verdict: Verdict): number => ({ pass: 0, fail: 1, inconclusive: 2 })[verdict]

/**
 * What the values of one Metric say of a Threshold. Without a value, with one that is no finite number, or with one of which
 * another Metric says that it has no samples (`p95.samples` is 0), it is `inconclusive`, unless another value fails.
 */
export const keeps = (threshold: Threshold, measured: ReadonlyArray<Metrics>): Verdict => {
  const { metric } = threshold
  const having = measured.filter((metrics) => Object.hasOwn(metrics, metric))
  return having.length === 0
    ? "inconclusive"
    : worst(having.map((metrics) => verdictOf(threshold, metrics[metric], metrics[`${metric}.samples`])))
}

const verdictOf = (
  { max = Infinity, min = -Infinity }: Threshold,
  value: number = NaN,
  samples: number | undefined
): Verdict => {
  if (!Number.isFinite(value) || samples === 0) return "inconclusive"
  return value >= min && value <= max ? "pass" : "fail"
}

/** `fail` if there is one, else `inconclusive` if there is one. */
export const worst = (verdicts: ReadonlyArray<Verdict>): Verdict =>
  verdicts.includes("fail") ? "fail" : verdicts.includes("inconclusive") ? "inconclusive" : "pass"
