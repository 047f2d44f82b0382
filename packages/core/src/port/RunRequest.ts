// What a Run is made with, what its holder is given and says of it, and the ways in which it is not changed.
import { type DateTime, type Redacted, Schema } from "effect"
import type { JobId } from "../domain/Job.ts"
import type { Fence } from "../domain/Lease.ts"
import type { Plan } from "../domain/Plan.ts"
import {
  type Run,
  type RunEnding,
  type RunFailure,
  type RunId,
  type RunName,
  type RunNode,
  RunStatus,
  type Target
} from "../domain/Run.ts"
import type { StepResult } from "../domain/StepResult.ts"
import type { Subnet } from "../domain/Subnet.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { NodeName, Topology } from "../domain/Topology.ts"
import type { Verdict } from "../domain/Verdict.ts"
import type { SubnetLease } from "./SubnetPool.ts"

/** No Run of this id exists. */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { run: Schema.String }) {}

/** The Run has ended, or is about to and kept no longer; nothing was changed. */
export class RunEnded extends Schema.TaggedError<RunEnded>()("RunEnded", { status: RunStatus }) {}

/** What a Run is made with. `job` is the one that has its Slot, held by the caller under `fence`. */
export interface RunRequest {
  readonly id: RunId
  readonly job: JobId
  readonly fence: Fence
  readonly tenant: TenantName
  readonly name: RunName
  readonly target: Target
  readonly topology: Topology
  /** The block that it was given, null where nodes share the host. */
  readonly network: SubnetLease | null
  readonly keepUntil: DateTime.Utc | undefined
}

/** A Run in the hands of one holder, under whose Fence it writes. Once it has ended its secrets are gone: it has no Credentials, and the Topology no variables and no keys of Sources. */
export interface RunClaim {
  readonly run: Run
  readonly job: JobId
  readonly fence: Fence
  readonly topology: Topology
  readonly network: { readonly subnet: Subnet; readonly lease: Pick<SubnetLease, "pool" | "owner" | "fence"> } | null
  readonly plan: Plan | null
  /** What was made for each node, as it is handed to it; kept sealed. */
  readonly credentials: ReadonlyMap<NodeName, Redacted.Redacted<string>>
}

/** How far a Run has come. What is absent stays as it is; `nodes` and `steps` replace those of the same name, in the order of the Topology. */
export interface RunProgress {
  readonly plan?: Plan
  readonly credentials?: ReadonlyMap<NodeName, Redacted.Redacted<string>>
  readonly nodes?: ReadonlyArray<RunNode>
  readonly steps?: ReadonlyArray<StepResult>
}

/** How a Run is to end. */
export interface RunOutcome {
  readonly status: RunEnding
  readonly verdict: Verdict | null
  readonly error: RunFailure | null
}

/** Which Runs to list; what is absent is any. */
export interface RunFilter {
  readonly tenant?: TenantName | undefined
  readonly status?: RunStatus | undefined
}

/** What may be left of a Run, and where. */
export interface RunCleanup {
  readonly run: RunId
  readonly tenant: TenantName
  readonly target: Target
  readonly network: RunClaim["network"]
}

/** A Run with what only its store knows. */
export interface RunRow extends Mutable<RunClaim> {
  readonly position: number
  outcome: RunEnding | undefined
}

type Mutable<A> = { -readonly [Key in keyof A]: A[Key] }
