// The objects of Runs that the API answers, and what it takes. They follow the domain; what differs is said here.
import { Schema } from "effect"
import { keepLimitHours, Run as DomainRun, RunName, Target } from "@lockkeeper/core/domain/Run"
import { stepTimeout, Topology, topologyLimits, TopologyNode, TopologyStep } from "@lockkeeper/core/domain/Topology"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { HealthCheckInput, Moment, page } from "./Objects.ts"

/** A Run. `network` is null where nodes share the host; with `cleanup` pending, what is left of it is still to be removed. */
export const Run = DomainRun.annotate({ identifier: "Run" })

/** The type of {@link Run}. */
export interface Run extends Schema.Schema.Type<typeof Run> {}

/** Some Runs, newest first. */
export const RunPage = page(Run)

const { thresholds } = Topology.fields
const { command, dependsOn, env, healthCheck: _, image, name, ports, source } = TopologyNode.fields
const { resultFile, timeoutSeconds } = TopologyStep.fields

const node = Schema.Struct({
  name,
  image: image.annotate({
    description: "An image with a version; what a tag leads to is taken once, when the run begins"
  }),
  source,
  command: command.annotate({ description: "A program and its arguments, in place of what the image runs" }),
  env,
  ports: ports.annotate({ description: "Where it listens; its health check asks the first one" }),
  dependsOn: dependsOn.annotate({
    description: "The nodes that are ready before it starts, and whose credentials it is given"
  }),
  healthCheck: Schema.optionalKey(HealthCheckInput)
})

const step = Schema.Struct({
  ...TopologyStep.fields,
  timeoutSeconds: timeoutSeconds.annotate({
    description: `How long it may take; ${stepTimeout.default} unless said otherwise`
  }),
  resultFile: resultFile.annotate({
    description:
      "Where it writes what it measured, below the directory in LOCKKEEPER_RESULTS: `.json`, or `.xml` of JUnit"
  })
})

const until = Moment.annotate({
  description: `Until when it is kept after its steps, for somebody to look at; at most ${keepLimitHours} hours ahead`
})

/** What a Run is asked for with. */
export const NewRun = Schema.Struct({
  tenant: TenantName,
  name: RunName,
  target: Schema.optionalKey(
    Target.annotate({ description: "Where its nodes are made; what the server is set up for unless said otherwise" })
  ),
  nodes: Schema.Array(node).check(Schema.isMinLength(1), Schema.isMaxLength(topologyLimits.nodes)),
  steps: Schema.Array(step).check(Schema.isMaxLength(topologyLimits.steps)),
  thresholds,
  keepUntil: Schema.optionalKey(until)
})

/** Until when a Run is kept. */
export const RunKeep = Schema.Struct({ until })
