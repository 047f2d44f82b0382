// What RunStore means, in memory.
import { DateTime, Effect } from "effect"
import { isOver, type Run, type RunId, type RunNode, type RunStatus, runTransitions } from "../domain/Run.ts"
import type { StepResult } from "../domain/StepResult.ts"
import { format } from "../domain/Subnet.ts"
import { imageOf } from "../domain/topologyRefusal.ts"
import { LeaseLost } from "./Claim.ts"
import { type MemoryTables, publishOf } from "./MemoryState.ts"
import { cut, type PageRequest } from "../domain/Page.ts"
import {
  type RunClaim,
  RunEnded,
  type RunFilter,
  RunNotFound,
  type RunOutcome,
  type RunProgress,
  type RunRequest,
  type RunRow
} from "./RunRequest.ts"
import type { RunStore } from "./RunStore.ts"

/** The RunStore of a state. */
export const makeMemoryRuns = (state: MemoryTables): typeof RunStore.Service => {
  const claimOf = ({ credentials, fence, job, network, plan, run, topology }: RunRow): RunClaim => ({
    run,
    job,
    fence,
    topology,
    network,
    plan,
    credentials
  })

  const moved = (now: DateTime.Utc, row: RunRow, to: RunStatus, change: Partial<Run> = {}): void => {
    row.run = { ...row.run, ...change, status: to }
    publishOf(state, now, `run.${to}`, { tenant: row.run.tenant, app: null }, row.run.id)
  }

  const found = (run: RunId): Effect.Effect<RunRow, RunNotFound> => {
    const row = state.runs.get(run)
    return row === undefined ? Effect.fail(new RunNotFound({ run })) : Effect.succeed(row)
  }

  const held = ({ fence, job, run: { id } }: RunClaim): Effect.Effect<RunRow, LeaseLost> => {
    const row = state.runs.get(id)
    return row === undefined || row.fence !== fence || isOver(row.run.status)
      ? Effect.fail(new LeaseLost({ work: job }))
      : Effect.succeed(row)
  }

  const going = Effect.fnUntraced(function* (run: RunId) {
    const row = yield* found(run)
    if (isOver(row.run.status)) return yield* new RunEnded({ status: row.run.status })
    return row
  })

  const create = Effect.fnUntraced(function* (request: RunRequest) {
    const { fence, id, job, network } = request
    const holder = state.jobs.get(job)
    const known = state.runs.get(id)
    if (known !== undefined && known.job === job && known.fence === fence) return claimOf(known)
    if (holder?.job.status !== "running" || holder.fence !== fence || known !== undefined) {
      return yield* new LeaseLost({ work: job })
    }
    const now = yield* DateTime.now
    const row: RunRow = {
      run: first(request, now),
      position: ++state.sequence,
      job,
      fence,
      topology: request.topology,
      network: network === null ? null : { subnet: network.subnet, lease: network },
      plan: null,
      credentials: new Map(),
      outcome: undefined
    }
    state.runs.set(id, row)
    moved(now, row, "provisioning")
    return claimOf(row)
  })

  const take = Effect.fnUntraced(function* (job: RunClaim["job"], fence: RunClaim["fence"]) {
    const row = [...state.runs.values()].find((other) => other.job === job)
    if (row === undefined) return undefined
    if (row.fence > fence) return yield* new LeaseLost({ work: job })
    row.fence = fence
    return claimOf(row)
  })

  const record = Effect.fnUntraced(function* (claim: RunClaim, progress: RunProgress) {
    const row = yield* held(claim)
    row.plan = progress.plan ?? row.plan
    row.credentials = progress.credentials ?? row.credentials
    row.run = {
      ...row.run,
      cleanup: "pending",
      nodes: replaced(row.run.nodes, progress.nodes ?? []),
      steps: inOrder(row, replaced(row.run.steps, progress.steps ?? []))
    }
  })

  const advance = (to: "running" | "teardown", change: (now: DateTime.Utc, run: Run) => Partial<Run>) =>
    Effect.fnUntraced(function* (claim: RunClaim) {
      const row = yield* held(claim)
      const now = yield* DateTime.now
      if (runTransitions[row.run.status].includes(to)) moved(now, row, to, change(now, row.run))
    })

  const settle = Effect.fnUntraced(function* (claim: RunClaim, outcome: RunOutcome) {
    const row = yield* held(claim)
    if (row.outcome !== undefined) return row.run
    const { error, status, verdict } = row.run.cancelling
      ? { ...outcome, status: "cancelled" as const, error: null }
      : outcome
    row.outcome = status
    row.run = { ...row.run, verdict, error }
    return row.run
  })

  const finish = Effect.fnUntraced(function* (claim: RunClaim, cleanup: "pending" | "done") {
    const row = yield* held(claim)
    const now = yield* DateTime.now
    const nodes = cleanup === "done" ? goneNodes(row.run) : row.run.nodes
    moved(now, row, row.outcome ?? "failed", { cleanup, nodes, cancelling: false, finishedAt: now })
    row.credentials = new Map()
    return row.run
  })

  const list = (filter: RunFilter, page: PageRequest) =>
    Effect.sync(() => {
      const rows = [...state.runs.values()]
        .filter(({ run }) => filter.tenant === undefined || run.tenant === filter.tenant)
        .filter(({ run }) => filter.status === undefined || run.status === filter.status)
        .filter(({ position }) => page.cursor === undefined || position < Number(page.cursor))
        .sort((a, b) => b.position - a.position)
        .slice(0, page.limit + 1)
      return cut(
        page,
        rows,
        ({ position }) => position,
        ({ run }) => run
      )
    })

  return {
    create,
    get: (run) => Effect.map(found(run), (row) => row.run),
    list,
    take,
    record,
    running: advance("running", (now) => ({ startedAt: now })),
    settle,
    tearDown: advance("teardown", () => ({ keepUntil: null, cleanup: "pending" })),
    finish,
    requestCancel: (run) => Effect.map(going(run), (row) => (row.run = { ...row.run, cancelling: true })),
    stopRequested: (run) => Effect.sync(() => state.runs.get(run)?.run.cancelling === true),
    keep: (run, until) => Effect.map(going(run), (row) => (row.run = { ...row.run, keepUntil: until })),
    uncleaned: (limit) =>
      Effect.sync(() =>
        [...state.runs.values()]
          .filter(({ run }) => isOver(run.status) && run.cleanup === "pending")
          .slice(0, limit)
          .map(({ network, run: { id, target, tenant } }) => ({ run: id, tenant, target, network }))
      ),
    cleaned: (run) =>
      Effect.sync(() => {
        const row = state.runs.get(run)
        if (row !== undefined && isOver(row.run.status)) {
          row.run = { ...row.run, cleanup: "done", nodes: goneNodes(row.run) }
        }
      }),
    unowned: (runs) => Effect.sync(() => runs.filter((run) => isOver(state.runs.get(run)?.run.status ?? "failed")))
  }
}

const first = ({ id, keepUntil, name, network, target, tenant, topology }: RunRequest, now: DateTime.Utc): Run => ({
  id,
  tenant,
  name,
  target,
  status: "provisioning",
  network: network === null ? null : { cidr: format(network.subnet) },
  nodes: topology.nodes.map((node) => ({
    name: node.name,
    status: "pending",
    image: imageOf(node) ?? null,
    address: null
  })),
  steps: [],
  verdict: null,
  cleanup: network === null ? "none" : "pending",
  keepUntil: keepUntil ?? null,
  error: null,
  cancelling: false,
  createdAt: now,
  startedAt: null,
  finishedAt: null
})

const goneNodes = ({ nodes }: Run): ReadonlyArray<RunNode> => nodes.map((node) => ({ ...node, status: "gone" }))

const replaced = <A extends { readonly name: string }>(
  known: ReadonlyArray<A>,
  next: ReadonlyArray<A>
): ReadonlyArray<A> => {
  const names = new Set(known.map(({ name }) => name))
  return [
    ...known.map((item) => next.find(({ name }) => name === item.name) ?? item),
    ...next.filter(({ name }) => !names.has(name))
  ]
}

const inOrder = ({ topology }: RunRow, steps: ReadonlyArray<StepResult>): ReadonlyArray<StepResult> =>
  topology.steps.flatMap(({ name }) => steps.find((step) => step.name === name) ?? [])
