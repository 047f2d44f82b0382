// How a step of a Run came out: its exit code, how long it took, and what it measured. What is wrong with its result file is
// said beside the exit code, never in its place. Not here: JUnit's XML, which needs a parser.
import { Option, Result, Schema } from "effect"
import type { PlanStep } from "./Plan.ts"
import { type ResultKind, StepName } from "./Topology.ts"
import { keeps, MetricName, Metrics, type Threshold, type Verdict, worst } from "./Verdict.ts"

/** How many bytes of a result file are read at most: whoever collects it reads one more, and no further. */
export const maxResultBytes = 1_048_576

/** How many Metrics a step may have. */
export const maxMetrics = 1_000

/**
 * Why a step has no exit code (`not_run`: one before it failed; `cut_off`: it could not be started, or not be heard out to
 * its end; `timed_out`), or no Metrics: its file is not there, too large, or not what its name says.
 */
export const StepFailure = Schema.Struct({
  code: Schema.Literals(["not_run", "cut_off", "timed_out", "result_missing", "result_too_large", "result_unreadable"]),
  detail: Schema.String
})

/** The type of {@link StepFailure}. */
export interface StepFailure extends Schema.Schema.Type<typeof StepFailure> {}

/** How a step came out. `exitCode` is null when it did not end by itself, `durationMillis` when it did not begin. */
export const StepResult = Schema.Struct({
  name: StepName,
  exitCode: Schema.NullOr(Schema.Int),
  durationMillis: Schema.NullOr(Schema.Int),
  metrics: Metrics,
  failure: Schema.NullOr(StepFailure)
})

/** The type of {@link StepResult}. */
export interface StepResult extends Schema.Schema.Type<typeof StepResult> {}

/** A result file does not hold what its name says. `detail` is a clause for a person, and shows nothing of the file. */
export class ResultUnreadable extends Schema.TaggedError<ResultUnreadable>()("ResultUnreadable", {
  detail: Schema.String
}) {
  override readonly message = this.detail
}

/** Reads Metrics from the bytes of a result file: what {@link jsonMetrics} is for JSON. */
export type ResultReader = (bytes: Uint8Array) => Result.Result<Metrics, ResultUnreadable>

/** Who reads which kind of file. */
export type ResultReaders = Readonly<Record<ResultKind, ResultReader>>

/** A step that ended by itself, with its file: undefined where there is none. Only a declared file is looked at. */
export const stepEnded = (
  { name, result }: PlanStep,
  { durationMillis, exitCode }: { readonly exitCode: number; readonly durationMillis: number },
  file: Uint8Array | undefined,
  readers: ResultReaders
): StepResult => {
  const ended = { name, exitCode, durationMillis, metrics: {}, failure: null }
  const failed = (code: StepFailure["code"], detail: string) => ({ ...ended, failure: { code, detail } })
  if (result === null) return ended
  if (file === undefined) return failed("result_missing", `there is no ${result.file}`)
  if (file.length > maxResultBytes) {
    return failed("result_too_large", `${result.file} is larger than ${maxResultBytes} bytes`)
  }
  return Result.match(readers[result.kind](file), {
    onSuccess: (metrics) => ({ ...ended, metrics }),
    onFailure: ({ detail }) => failed("result_unreadable", `${result.file} ${detail}`)
  })
}

/** A step that did not end by itself. */
export const stepFailed = (
  { name }: Pick<PlanStep, "name">,
  failure: StepFailure,
  durationMillis: number | null = null
): StepResult => ({ name, exitCode: null, durationMillis, metrics: {}, failure })

/**
 * What the results of all steps come to, null when there was nothing to see: no step and no Threshold. It fails with any
 * exit code but 0, and with any Threshold that is not kept in any step that has its Metric; else it is inconclusive with any
 * step that has a failure, and with any Threshold whose Metric was not measured.
 */
export const judge = (thresholds: ReadonlyArray<Threshold>, results: ReadonlyArray<StepResult>): Verdict | null => {
  const measured = results.map(({ metrics }) => metrics)
  const verdicts = [...results.map(ofStep), ...thresholds.map((threshold) => keeps(threshold, measured))]
  return verdicts.length === 0 ? null : worst(verdicts)
}

const ofStep = ({ exitCode, failure }: StepResult): Verdict =>
  exitCode !== null && exitCode !== 0 ? "fail" : exitCode === null || failure !== null ? "inconclusive" : "pass"

const unreadable = (detail: string) => Result.fail(new ResultUnreadable({ detail }))

const parseJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))
const isName = Schema.is(MetricName)
const utf8 = new TextDecoder("utf-8", { fatal: true })

const textOf = (bytes: Uint8Array): Option.Option<string> => Result.getSuccess(Result.try(() => utf8.decode(bytes)))

/** How deep an object may be in another. */
const maxDepth = 16

/**
 * The numbers of a JSON object. One in another object has the names of both with a dot between them; `value` names the
 * object that it is in, so that `{"p95": {"value": 3, "samples": 10}}` is `p95` and `p95.samples`. What is no finite number
 * and no object is passed over, so that a Threshold for it is inconclusive.
 */
export const jsonMetrics: ResultReader = (bytes) => {
  const parsed = Option.flatMap(textOf(bytes), parseJson)
  if (Option.isNone(parsed)) return unreadable("is not JSON in UTF-8")
  if (!isObject(parsed.value)) return unreadable("is not a JSON object")
  const found = new Map<string, number>()
  const problem = collect(parsed.value, [], found)
  return problem === undefined ? Result.succeed(Object.fromEntries(found)) : unreadable(problem)
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const collect = (
  values: Readonly<Record<string, unknown>>,
  path: ReadonlyArray<string>,
  found: Map<string, number>
): string | undefined => {
  if (path.length > maxDepth) return `has objects in one another, more than ${maxDepth} deep`
  for (const [key, value] of Object.entries(values)) {
    const here = [...path, key]
    const problem = isObject(value) ? collect(value, here, found) : add(value, here, found)
    if (problem !== undefined) return problem
  }
  return undefined
}

const add = (value: unknown, path: ReadonlyArray<string>, found: Map<string, number>): string | undefined => {
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined
  const name = (path.length > 1 && path.at(-1) === "value" ? path.slice(0, -1) : path).join(".")
  if (!isName(name)) return "has a name that is empty, longer than 200 characters or not printable"
  if (found.has(name)) return "has a metric twice"
  if (found.size === maxMetrics) return `has more than ${maxMetrics} metrics`
  found.set(name, value)
  return undefined
}
