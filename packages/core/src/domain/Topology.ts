// The declaration of a Run: its nodes, the steps that are taken in them, and what is demanded of what they measure. Sizes
// are bounded here; whether the parts fit together is decided in plan.ts.
import { Redacted, Schema } from "effect"
import { Env, EnvKey, EnvValue, limitBytes } from "./Env.ts"
import { HealthCheck } from "./HealthCheck.ts"
import { ImageReference, open, Source } from "./Source.ts"
import { Threshold } from "./Verdict.ts"
import { Command, WorkloadPort } from "./Workload.ts"

const namePattern = /^[a-z][a-z0-9-]{0,62}$/

/** The name of a node, unique in its Topology; the shape of an `AppName`. */
export const NodeName = Schema.String.check(Schema.isPattern(namePattern)).pipe(Schema.brand("NodeName"))

/** The type of {@link NodeName}. */
export type NodeName = typeof NodeName.Type

/** The name of a step, unique in its Topology; the shape of an `AppName`. */
export const StepName = Schema.String.check(Schema.isPattern(namePattern)).pipe(Schema.brand("StepName"))

/** The type of {@link StepName}. */
export type StepName = typeof StepName.Type

/** How much a Topology may declare. */
export const topologyLimits = { nodes: 64, steps: 64, thresholds: 256, ports: 16 } as const

/** How long a step may take unless it says otherwise, and at most, in seconds: ten minutes, and a day. */
export const stepTimeout = { default: 600, most: 86_400 } as const

/** How a step writes down what it measured: JSON, or JUnit's XML. */
export const ResultKind = Schema.Literals(["json", "junit"])

/** The type of {@link ResultKind}. */
export type ResultKind = typeof ResultKind.Type

/**
 * Where a step leaves its results, below the directory that it is given: names that begin with no dot, between slashes, so
 * that it leads nowhere else. `.json` is JSON, `.xml` is JUnit's.
 */
export const ResultFile = Schema.String.check(
  Schema.isMaxLength(255),
  Schema.isPattern(/^(?:[\w-][\w.-]*\/)*[\w-][\w.-]*\.(?:json|xml)$/)
).pipe(Schema.brand("ResultFile"))

/** The type of {@link ResultFile}. */
export type ResultFile = typeof ResultFile.Type

/** What is in a result file, as its name says. */
export const kindOf = (file: ResultFile): ResultKind => (file.endsWith(".xml") ? "junit" : "json")

type Values = Readonly<Record<string, Redacted.Redacted<string>>>

const isKey = Schema.is(EnvKey)

const valuesOf = (values: Values): Env =>
  Env.empty.with(
    new Map(
      Object.entries(values).flatMap(([key, value]) =>
        isKey(key) && Redacted.value(value) !== "" ? [[key, value] as const] : []
      )
    )
  )

const Values = Schema.Record(Schema.String, Schema.RedactedFromValue(EnvValue)).check(
  Schema.makeFilter((values: Values) => Object.keys(values).every(isKey) || "names of variables"),
  Schema.makeFilter((values: Values) => valuesOf(values).bytes <= limitBytes || `at most ${limitBytes} bytes`)
)

/**
 * One node: what it runs, an image or a Source, and what it waits for. The first of its `ports` is the one that its
 * `healthCheck` asks.
 */
export const TopologyNode = Schema.Struct({
  name: NodeName,
  image: Schema.optionalKey(ImageReference),
  source: Schema.optionalKey(Source),
  command: Schema.optionalKey(Command),
  env: Schema.optionalKey(Values),
  ports: Schema.optionalKey(Schema.Array(WorkloadPort).check(Schema.isMaxLength(topologyLimits.ports))),
  dependsOn: Schema.optionalKey(Schema.Array(NodeName).check(Schema.isMaxLength(topologyLimits.nodes))),
  healthCheck: Schema.optionalKey(HealthCheck)
})

/** The type of {@link TopologyNode}. */
export interface TopologyNode extends Schema.Schema.Type<typeof TopologyNode> {}

/** The variables of a node; one with the empty string is not among them. */
export const variablesOf = ({ env = {} }: TopologyNode): Env => valuesOf(env)

/** One step: a command in a node, in the order of the steps, and the file in which it leaves what it measured. */
export const TopologyStep = Schema.Struct({
  name: StepName,
  node: NodeName,
  command: Command,
  timeoutSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: stepTimeout.most }))),
  resultFile: Schema.optionalKey(ResultFile)
})

/** The type of {@link TopologyStep}. */
export interface TopologyStep extends Schema.Schema.Type<typeof TopologyStep> {}

/** What a Run is to be made of. The order of its nodes means nothing, that of its steps is the order in which they run. */
export const Topology = Schema.Struct({
  nodes: Schema.Array(TopologyNode).check(Schema.isMinLength(1), Schema.isMaxLength(topologyLimits.nodes)),
  steps: Schema.Array(TopologyStep).check(Schema.isMaxLength(topologyLimits.steps)),
  thresholds: Schema.optionalKey(Schema.Array(Threshold).check(Schema.isMaxLength(topologyLimits.thresholds)))
})

/** The type of {@link Topology}. */
export interface Topology extends Schema.Schema.Type<typeof Topology> {}

/** Drops the secrets of a Topology: the variables of its nodes, and the keys of their Sources. */
export const withoutSecrets = ({ nodes, ...rest }: Topology): Topology => ({
  ...rest,
  nodes: nodes.map(({ env: _, source, ...node }) => (source === undefined ? node : { ...node, source: open(source) }))
})
