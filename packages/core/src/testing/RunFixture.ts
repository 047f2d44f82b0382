// What the laws of Runs begin with, made through the ports themselves.
import { Effect, Redacted } from "effect"
import { Fence } from "../domain/Lease.ts"
import { type Run, RunId, RunName, type RunNode, Target } from "../domain/Run.ts"
import { type DeployKey, GitSource, GitUrl, ImageReference } from "../domain/Source.ts"
import type { StepResult } from "../domain/StepResult.ts"
import { format } from "../domain/Subnet.ts"
import { NodeName, StepName, type Topology } from "../domain/Topology.ts"
import { Command, IpAddress } from "../domain/Workload.ts"
import type { JobClaim } from "../port/JobRequest.ts"
import type { RunClaim, RunOutcome, RunRequest } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import { PoolName, type SubnetLease, SubnetOwner } from "../port/SubnetPool.ts"
import { equal, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import * as Jobs from "./JobFixture.ts"

/** The id of a Run that nobody has made. */
export const freshRun = Effect.map(Given.freshLetters, (letters) => RunId.make(`run_${letters}`))

/** The nodes and steps of {@link topology}. */
export const names = {
  web: NodeName.make("web"),
  db: NodeName.make("db"),
  load: StepName.make("load"),
  check: StepName.make("check")
}

const key: (typeof DeployKey)["Type"] = "-----BEGIN PRIVATE KEY-----\nQ0FOQVJZ\n-----END PRIVATE KEY-----\n"

/** Two nodes, one of them with a variable and the other with the key of a Source, and two steps. */
export const topology: Topology = {
  nodes: [
    {
      name: names.web,
      image: ImageReference.make("registry.example/web:1"),
      env: { TOKEN: Redacted.make("canary") },
      dependsOn: [names.db]
    },
    {
      name: names.db,
      source: GitSource.make({
        type: "git",
        url: GitUrl.make("https://code.example/team/db.git"),
        deployKey: Redacted.make(key)
      })
    }
  ],
  steps: [names.load, names.check].map((name) => ({ name, node: names.web, command: Command.make(["run", name]) }))
}

/** A block that a Run was given. */
export const networkOf = (id: RunId): SubnetLease => ({
  pool: PoolName.make("contract"),
  owner: SubnetOwner.make(id),
  subnet: { first: 10 * 2 ** 24, prefix: 28 },
  fence: Fence.make(7)
})

/** What a Run is made with in the Slot of a Job: two nodes and no block of their own, unless asked otherwise. */
export const requested = Effect.fnUntraced(function* ({ fence, job }: JobClaim, more: Partial<RunRequest> = {}) {
  const request: RunRequest = {
    id: yield* freshRun,
    job: job.id,
    fence,
    tenant: job.tenant,
    name: RunName.make("smoke"),
    target: Target.make("contract"),
    topology,
    network: null,
    keepUntil: undefined,
    ...more
  }
  return request
})

/** A new Run, in the Slot of a new Job. */
export const begun = Effect.fnUntraced(function* (more: Partial<RunRequest> = {}) {
  const tenant = more.tenant ?? (yield* Given.freshTenant)
  const request = yield* requested(yield* Jobs.running({ tenant }), more)
  return yield* (yield* RunStore).create(request)
})

/** Everything is as it should be. */
export const passed: RunOutcome = { status: "succeeded", verdict: "pass", error: null }

/** A node could not be started. */
export const failed: RunOutcome = {
  status: "failed",
  verdict: null,
  error: { code: "start_failed", detail: "the node web did not start", node: names.web }
}

/** Its server was gone. */
export const lost: RunOutcome = {
  status: "failed",
  verdict: null,
  error: { code: "server_lost", detail: "the server that carried it out is gone", node: null }
}

/** A Run that is torn down, decided before. */
export const tornDown = Effect.fnUntraced(function* (claim: RunClaim, outcome: RunOutcome = passed) {
  const runs = yield* RunStore
  yield* runs.settle(claim, outcome)
  yield* runs.tearDown(claim)
})

/** Ends a Run. */
export const ended = Effect.fnUntraced(function* (
  claim: RunClaim,
  cleanup: "done" | "pending" = "done",
  outcome: RunOutcome = passed
) {
  yield* tornDown(claim, outcome)
  return yield* (yield* RunStore).finish(claim, cleanup)
})

/** The same Run in the hands of who comes next. */
export const taken = Effect.fnUntraced(function* ({ fence, job }: RunClaim) {
  return yield* (yield* RunStore).take(job, Fence.make(fence + 1))
})

/** A node that serves. */
export const ready = (name: NodeName): RunNode => ({
  name,
  status: "ready",
  image: `sha256:${"5f".repeat(32)}`,
  address: IpAddress.make("10.0.0.2")
})

/** A step that ended well. */
export const step = (name: StepName): StepResult => ({
  name,
  exitCode: 0,
  durationMillis: 12,
  metrics: { p95Millis: 3.25 },
  failure: null
})

/** Everything that a holder may do is refused, and nothing comes of it. */
export const isLost = Effect.fnUntraced(function* (claim: RunClaim) {
  const runs = yield* RunStore
  const before = yield* runs.get(claim.run.id)
  const nodes = [ready(names.web)]
  yield* refused("LeaseLost", runs.record(claim, { nodes, steps: [step(names.load)] }))
  yield* refused("LeaseLost", runs.running(claim))
  yield* refused("LeaseLost", runs.settle(claim, failed))
  yield* refused("LeaseLost", runs.tearDown(claim))
  yield* refused("LeaseLost", runs.finish(claim, "pending"))
  yield* equal("what became of it", yield* runs.get(claim.run.id), before)
})

/** What a Claim of a Run with a block of its own says of that. */
export const claimedNetwork = (id: RunId): RunClaim["network"] => {
  const { fence, owner, pool, subnet } = networkOf(id)
  return { subnet, lease: { pool, owner, fence } }
}

/** Where a Run stands, in short. */
export const standing = ({ cancelling, cleanup, error, status, verdict }: Run) => [
  status,
  verdict,
  error?.code ?? null,
  cleanup,
  cancelling
]

/** How the block of a Run is written. */
export const cidr = format({ first: 10 * 2 ** 24, prefix: 28 })
