// An ephemeral environment of several nodes, from its declaration to the last thing that was released. The table says which
// status may follow which; stores hold to it. Not here: what is declared (Topology.ts) and what that comes to (Plan.ts).
import { Schema } from "effect"
import { StepResult } from "./StepResult.ts"
import { TenantName } from "./Tenant.ts"
import { NodeName, type Topology } from "./Topology.ts"
import { imageOf } from "./topologyRefusal.ts"
import { Verdict } from "./Verdict.ts"
import { IpAddress } from "./Workload.ts"

/** Identifies a Run; `run_` and an opaque part. */
export const RunId = Schema.String.check(Schema.isPattern(/^run_[a-z0-9]{1,64}$/)).pipe(Schema.brand("RunId"))

/** The type of {@link RunId}. */
export type RunId = typeof RunId.Type

const namePattern = /^[a-z][a-z0-9-]{0,62}$/

/** What its caller calls a Run; not unique. The shape of an `AppName`. */
export const RunName = Schema.String.check(Schema.isPattern(namePattern)).pipe(Schema.brand("RunName"))

/** The type of {@link RunName}. */
export type RunName = typeof RunName.Type

/** Names a Provider: where a Run is made, such as `docker`. */
export const Target = Schema.String.check(Schema.isPattern(namePattern)).pipe(Schema.brand("Target"))

/** The type of {@link Target}. */
export type Target = typeof Target.Type

/**
 * Where a Run stands: its nodes are made, its steps are taken (or it is kept for somebody to look at), everything is
 * released. The last three are terminal.
 */
export const RunStatus = Schema.Literals(["provisioning", "running", "teardown", "succeeded", "failed", "cancelled"])

/** The type of {@link RunStatus}. */
export type RunStatus = typeof RunStatus.Type

/** Which statuses may follow each one. Whatever was begun is torn down before it ends. */
export const runTransitions: { readonly [From in RunStatus]: ReadonlyArray<RunStatus> } = {
  provisioning: ["running", "teardown"],
  running: ["teardown"],
  teardown: ["succeeded", "failed", "cancelled"],
  succeeded: [],
  failed: [],
  cancelled: []
}

/** Whether nothing follows a status. */
export const isOver = (status: RunStatus): boolean => runTransitions[status].length === 0

/** How a Run ends. */
export const RunEnding = Schema.Literals(["succeeded", "failed", "cancelled"])

/** The type of {@link RunEnding}. */
export type RunEnding = typeof RunEnding.Type

/** What is left of a Run: nothing was made yet; something is, or may be; nothing is left. */
export const Cleanup = Schema.Literals(["none", "pending", "done"])

/** The type of {@link Cleanup}. */
export type Cleanup = typeof Cleanup.Type

/** How long ahead a Run may be kept at most, in hours, each time that it is asked for. */
export const keepLimitHours = 24

/** Why a Run failed, as a closed set that programs may act on. `verdict`: all was carried out, and did not pass. */
export const RunFailureCode = Schema.Literals([
  "verdict",
  "step_failed",
  "image_not_found",
  "source_failed",
  "build_failed",
  "start_failed",
  "unhealthy",
  "deadline_exceeded",
  "provider_unavailable",
  "store_unavailable",
  "server_lost",
  "internal"
])

/** The type of {@link RunFailureCode}. */
export type RunFailureCode = typeof RunFailureCode.Type

/** Why a Run failed: a code, a sentence for a person that shows no secret, and the node where it was, if it was at one. */
export const RunFailure = Schema.Struct({
  code: RunFailureCode,
  detail: Schema.String,
  node: Schema.NullOr(NodeName)
})

/** The type of {@link RunFailure}. */
export interface RunFailure extends Schema.Schema.Type<typeof RunFailure> {}

/** Where a node stands. `gone`: nothing is left of it. */
export const NodeStatus = Schema.Literals(["pending", "starting", "ready", "failed", "gone"])

/** The type of {@link NodeStatus}. */
export type NodeStatus = typeof NodeStatus.Type

/**
 * A node of a Run. `image` is the reference that was declared until it is known what that leads to, then the digest; null
 * while a node is built from a Source. `address` is null before there is a Plan, and where nodes are processes of the host.
 */
export const RunNode = Schema.Struct({
  name: NodeName,
  status: NodeStatus,
  image: Schema.NullOr(Schema.String),
  address: Schema.NullOr(IpAddress)
})

/** The type of {@link RunNode}. */
export interface RunNode extends Schema.Schema.Type<typeof RunNode> {}

/** The nodes of a Topology of which nothing was made yet. */
export const pendingNodes = ({ nodes }: Topology): ReadonlyArray<RunNode> =>
  nodes.map((node) => ({ name: node.name, status: "pending", image: imageOf(node) ?? null, address: null }))

/**
 * A Run as its store answers it. `network` is its Subnet, null where nodes share the host. `steps` are those that have a
 * result, in their order. `verdict` and `error` are null until it is decided how it ends; with a `keepUntil` after that it
 * stays `running` until then. `cancelling`: somebody asked for its end, and it has not ended. With `cleanup` pending in a
 * terminal status, what could not be released is tried again.
 */
export const Run = Schema.Struct({
  id: RunId,
  tenant: TenantName,
  name: RunName,
  target: Target,
  status: RunStatus,
  network: Schema.NullOr(Schema.Struct({ cidr: Schema.String })),
  nodes: Schema.Array(RunNode),
  steps: Schema.Array(StepResult),
  verdict: Schema.NullOr(Verdict),
  cleanup: Cleanup,
  keepUntil: Schema.NullOr(Schema.DateTimeUtc),
  error: Schema.NullOr(RunFailure),
  cancelling: Schema.Boolean,
  createdAt: Schema.DateTimeUtc,
  startedAt: Schema.NullOr(Schema.DateTimeUtc),
  finishedAt: Schema.NullOr(Schema.DateTimeUtc)
})

/** The type of {@link Run}. */
export interface Run extends Schema.Schema.Type<typeof Run> {}

/**
 * Whether a Run may be kept, or be kept on: it is not torn down, nobody asked for its end, and the server that carried it out
 * was there until its end.
 */
export const isKeepable = ({ cancelling, error, status }: Run): boolean =>
  runTransitions[status].includes("teardown") && !cancelling && error?.code !== "server_lost"
