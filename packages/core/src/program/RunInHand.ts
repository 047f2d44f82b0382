// A Run in the hands of one holder: what its store and its Slot say, where it is made, and what may end it early.
import { Duration, Effect, Schema, type Scope } from "effect"
import type { LogEntry } from "../domain/LogLine.ts"
import { type RunFailure, RunFailure as RunFailureSchema } from "../domain/Run.ts"
import type { NodeName } from "../domain/Topology.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { JobClaim } from "../port/JobRequest.ts"
import type { Provider, ProviderError, RunOwner } from "../port/Provider.ts"
import type { RunClaim } from "../port/RunRequest.ts"
import type { SourceError } from "../port/SourceFetcher.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { LogWriter } from "./DeploymentLog.ts"
import type { RunStopped } from "./stop.ts"

/** A Run and its Slot, both held under the Fence of the Slot. */
export interface RunInHand {
  readonly run: RunClaim
  readonly slot: JobClaim
}

/** A Run in hand while it is carried out: the Provider that makes it, and its log. */
export interface RunPlace extends RunInHand {
  readonly provider: Provider
  readonly log: LogWriter
  /** Ends when nothing is said of the Run any more. */
  readonly scope: Scope.Scope
}

/** Something did not come out as it should. It carries what the Run will say about it. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", { failure: RunFailureSchema }) {
  override readonly message = this.failure.detail
}

/** What may end a Run before all its steps were taken. */
export type RunError = RunFailed | RunStopped | LeaseLost | StoreError

/** Whose everything is that is made for a Run. */
export const ownerOf = ({ run: { fence, run } }: RunInHand): RunOwner => ({ run: run.id, tenant: run.tenant, fence })

/** Fails as a Run does, at a node if there is one. */
export const failed = (code: RunFailure["code"], detail: string, node: NodeName | null = null): RunFailed =>
  new RunFailed({ failure: { code, detail, node } })

/** What a Run says about something that could not be made or fetched, at a node if there is one. */
export const failedBy =
  (node: NodeName | null) =>
  (error: ProviderError | SourceError): RunFailed => {
    if (error._tag === "SourceError") return failed("source_failed", error.detail, node)
    return failed(error.reason === "name_conflict" ? "start_failed" : error.reason, error.detail, node)
  }

/** Does a part of the work until its time is over. */
export const within = <A, E, R>(
  duration: Duration.Duration,
  what: string,
  work: Effect.Effect<A, E, R>,
  node: NodeName | null = null
): Effect.Effect<A, E | RunFailed, R> =>
  Effect.timeoutOrElse(work, {
    duration,
    orElse: () => failed("deadline_exceeded", `${what} took longer than ${Duration.format(duration)}`, node)
  })

/** A line that Lockkeeper itself says. */
export const system = (line: string): LogEntry => ({ stream: "system", line })
