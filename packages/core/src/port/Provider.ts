// Makes the nodes of Runs in one kind of place, and removes them. What it makes can be found again by its Run's id, so that
// any replica that reaches the place can remove it. Which place a Run is for is decided in Providers.ts.
import { type Effect, type Redacted, Schema } from "effect"
import type { Env } from "../domain/Env.ts"
import type { Fence } from "../domain/Lease.ts"
import type { LogEntry } from "../domain/LogLine.ts"
import type { PlanNode, PlanStep } from "../domain/Plan.ts"
import type { RunId } from "../domain/Run.ts"
import type { ImageReference } from "../domain/Source.ts"
import type { Subnet } from "../domain/Subnet.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { NodeName, Topology } from "../domain/Topology.ts"
import type { InvalidTopology } from "../domain/topologyRefusal.ts"
import type { Address, ImageDigest } from "../domain/Workload.ts"
import type { SourceTree } from "./SourceFetcher.ts"
import type { PoolExhausted, SubnetLease, SubnetOwner } from "./SubnetPool.ts"

/** The variable in which a node and a step are told the directory with their Credentials: a file for each, named as its node. */
export const credentialsVariable = "LOCKKEEPER_CREDENTIALS"

/** The variable in which a step is told the directory below which it leaves its result file. */
export const resultsVariable = "LOCKKEEPER_RESULTS"

/** Something could not be made, seen or removed. `detail` is a sentence for a person and shows no secret. */
export class ProviderError extends Schema.TaggedError<ProviderError>()("ProviderError", {
  reason: Schema.Literals([
    "provider_unavailable",
    "image_not_found",
    "build_failed",
    "start_failed",
    "name_conflict",
    "step_failed"
  ]),
  detail: Schema.String
}) {
  override readonly message = this.detail
}

/** Parts of a Run could not be removed, each with its reason; the others were. It can be asked for again. */
export class RemovalError extends Schema.TaggedError<RemovalError>()("RemovalError", {
  left: Schema.Array(Schema.Struct({ what: Schema.String, detail: Schema.String }))
}) {
  override readonly message = this.left.map(({ detail, what }) => `${what}: ${detail}`).join("; ")
}

/** Whose everything is that is made for a Run; it stands at all of it that can bear a label. */
export interface RunOwner {
  readonly run: RunId
  readonly tenant: TenantName
  readonly fence: Fence
}

/** Secret bytes by the node that they were made for: those that a node is given. */
export type Credentials = ReadonlyMap<NodeName, Redacted.Redacted<string>>

/** One node to start: `image` is what its Plan says or what was built. Other nodes of its Run know it by its name. */
export interface NodeSpec {
  readonly owner: RunOwner
  readonly subnet: Subnet | null
  readonly node: PlanNode
  readonly image: ImageDigest
  readonly env: Env
  readonly credentials: Credentials
}

/** A node that was started: where its first port is reached from here, null when it declares none. */
export interface NodePlace {
  readonly node: NodeName
  readonly address: Address | null
}

/** What is to be seen of a node now. */
export type NodeState =
  { readonly state: "running" } | { readonly state: "exited"; readonly reason: string } | { readonly state: "gone" }

/** One step to take in a node that runs, with its variables and Credentials. */
export interface StepSpec extends NodeSpec {
  readonly step: PlanStep
}

/** How a step ended by itself, and its result file: undefined where there is none; at most a byte more than may be read of it. */
export interface StepExit {
  readonly exitCode: number
  readonly file: Uint8Array | undefined
}

/** What a Provider does. Interrupted, a method leaves at most what `remove` removes. */
export interface Provider {
  /** What of a Topology it cannot make, if anything. Asks nobody. */
  readonly refuses: (topology: Topology) => InvalidTopology | undefined
  /** Reserves the block for the nodes of a Run before anything of it exists, null where they share the host. Asked again for the same owner it answers the same. */
  readonly reserve: (owner: SubnetOwner) => Effect.Effect<SubnetLease | null, PoolExhausted | ProviderError>
  /** Extends the reservation of a Run's block; to be done at least each minute. */
  readonly extend: (lease: SubnetLease) => Effect.Effect<void, ProviderError>
  /** Gives the block of a Run back of which nothing is left. With `unused` nothing ever was, so that it need not rest. */
  readonly giveBack: (
    lease: Pick<SubnetLease, "pool" | "owner" | "fence">,
    unused: boolean
  ) => Effect.Effect<void, ProviderError>
  /** What an image reference leads to now; it is there afterwards. */
  readonly resolve: (reference: ImageReference) => Effect.Effect<ImageDigest, ProviderError>
  /** Makes an image from a tree for a Run that was prepared. It is there until that is removed. */
  readonly build: (
    owner: RunOwner,
    tree: SourceTree,
    say: (entry: LogEntry) => Effect.Effect<void>
  ) => Effect.Effect<ImageDigest, ProviderError>
  /** Makes what all nodes of a Run share, such as its network. What there is of this very Run is adopted, anything else is `name_conflict`. */
  readonly prepare: (owner: RunOwner, subnet: Subnet | null) => Effect.Effect<void, ProviderError>
  /** Starts a node, whose output is said for as long as it runs. What bears its name already is `name_conflict`. */
  readonly start: (
    spec: NodeSpec,
    say: (entry: LogEntry) => Effect.Effect<void>
  ) => Effect.Effect<NodePlace, ProviderError>
  /** What is to be seen of a node now. */
  readonly inspect: (run: RunId, node: NodeName) => Effect.Effect<NodeState, ProviderError>
  /** Takes a step to its end, as long as that takes. Interrupted, its command is ended. */
  readonly perform: (
    spec: StepSpec,
    say: (entry: LogEntry) => Effect.Effect<void>
  ) => Effect.Effect<StepExit, ProviderError>
  /** Removes all that there is of a Run. A Run of which nothing is there is no error; one failure does not stop the rest. */
  readonly remove: (run: RunId) => Effect.Effect<void, RemovalError>
  /** The Runs of which something is there. */
  readonly owned: Effect.Effect<ReadonlyArray<RunId>, ProviderError>
}
