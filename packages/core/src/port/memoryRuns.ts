// What RunStore means, in memory.
import { DateTime, Effect, Equal, Random } from "effect"
import { cut, type PageRequest } from "../domain/Page.ts"
import {
  isKeepable,
  isOver,
  pendingNodes,
  type Run,
  type RunId,
  type RunNode,
  type RunStatus,
  runTransitions
} from "../domain/Run.ts"
import { format } from "../domain/Subnet.ts"
import { withoutSecrets } from "../domain/Topology.ts"
import { LeaseLost } from "./Claim.ts"
import { type MemoryTables, publishOf } from "./MemoryState.ts"
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
    const known = [...state.runs.values()].find((row) => row.run.id === id || row.job === job)
    if (known?.run.id === id && known.job === job && known.fence === fence) return claimOf(known)
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
      network: blockOf(network),
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
      nodes: replaced(row.topology.nodes, row.run.nodes, progress.nodes),
      steps: replaced(row.topology.steps, row.run.steps, progress.steps)
    }
  })

  const advance = Effect.fnUntraced(function* (row: RunRow, to: RunStatus, change: Partial<Run>) {
    if (runTransitions[row.run.status].includes(to)) moved(yield* DateTime.now, row, to, change)
    return row.run
  })

  const running = Effect.fnUntraced(function* (claim: RunClaim) {
    yield* advance(yield* held(claim), "running", { startedAt: yield* DateTime.now })
  })

  const tearDown = Effect.fnUntraced(function* (claim: RunClaim, seen?: Pick<Run, "keepUntil">) {
    const row = yield* held(claim)
    if (seen !== undefined && !Equal.equals(seen.keepUntil, row.run.keepUntil)) return row.run
    return yield* advance(row, "teardown", { keepUntil: null, cleanup: "pending" })
  })

  const settle = Effect.fnUntraced(function* (claim: RunClaim, outcome: RunOutcome) {
    const row = yield* held(claim)
    if (row.outcome !== undefined) return row.run
    const { error, status, verdict } = row.run.cancelling
      ? { ...outcome, status: "cancelled" as const, error: null }
      : outcome
    row.outcome = status
    const keepUntil = status === "cancelled" || error?.code === "server_lost" ? null : row.run.keepUntil
    row.run = { ...row.run, verdict, error, keepUntil }
    return row.run
  })

  const finish = Effect.fnUntraced(function* (claim: RunClaim, cleanup: "pending" | "done") {
    const row = yield* held(claim)
    const now = yield* DateTime.now
    if (row.outcome === undefined || !runTransitions[row.run.status].includes(row.outcome)) {
      return yield* new LeaseLost({ work: row.job })
    }
    const nodes = cleanup === "done" ? goneNodes(row.run) : row.run.nodes
    moved(now, row, row.outcome, { cleanup, nodes, cancelling: false, finishedAt: now })
    row.credentials = new Map()
    row.topology = withoutSecrets(row.topology)
    return row.run
  })

  const keep = Effect.fnUntraced(function* (run: RunId, until: DateTime.Utc) {
    const row = yield* going(run)
    const isAsked = row.outcome === "cancelled" || state.jobs.get(row.job)?.isStopRequested === true
    if (isAsked || !isKeepable(row.run)) return yield* new RunEnded({ status: row.run.status })
    return (row.run = { ...row.run, keepUntil: until })
  })

  const requestCancel = Effect.fnUntraced(function* (run: RunId) {
    const row = yield* found(run)
    if (row.run.status === "cancelled") return row.run
    return ((yield* going(run)).run = { ...row.run, cancelling: true })
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

  const uncleaned = Effect.fnUntraced(function* (limit: number) {
    const left = [...state.runs.values()].filter(({ run }) => isOver(run.status) && run.cleanup === "pending")
    return (yield* Random.shuffle(left))
      .slice(0, limit)
      .map(({ network, run: { id, target, tenant } }) => ({ run: id, tenant, target, network }))
  })

  return {
    create,
    get: (run) => Effect.map(found(run), (row) => row.run),
    list,
    take,
    record,
    running,
    settle,
    tearDown,
    finish,
    requestCancel,
    stopRequested: (run) => Effect.sync(() => state.runs.get(run)?.run.cancelling === true),
    keep,
    uncleaned,
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

const blockOf = (lease: RunRequest["network"]): RunClaim["network"] =>
  lease === null ? null : { subnet: lease.subnet, lease: { pool: lease.pool, owner: lease.owner, fence: lease.fence } }

const first = ({ id, keepUntil, name, network, target, tenant, topology }: RunRequest, now: DateTime.Utc): Run => ({
  id,
  tenant,
  name,
  target,
  status: "provisioning",
  network: network === null ? null : { cidr: format(network.subnet) },
  nodes: pendingNodes(topology),
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

/** Parts of a Run, in the order of its Topology: those that are new in the place of those that were. */
const replaced = <A extends { readonly name: string }>(
  declared: ReadonlyArray<{ readonly name: string }>,
  known: ReadonlyArray<A>,
  next: ReadonlyArray<A> = []
): ReadonlyArray<A> => declared.flatMap(({ name }) => [...next, ...known].find((part) => part.name === name) ?? [])
