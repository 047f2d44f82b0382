// Rows of Runs as the domain's Runs, and the one shape in which their status changes: the change and its Event are one
// statement.

import { JobId } from "@lockkeeper/core/domain/Job"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { Plan } from "@lockkeeper/core/domain/Plan"
import { Run } from "@lockkeeper/core/domain/Run"
import { parse } from "@lockkeeper/core/domain/Subnet"
import { Topology, TopologyNode } from "@lockkeeper/core/domain/Topology"
import type { RunClaim } from "@lockkeeper/core/port/RunRequest"
import { PoolName, SubnetOwner } from "@lockkeeper/core/port/SubnetPool"
import { Effect, Option, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { Instant, Int8, Sealed, storable } from "./columns.ts"
import { eachRowOf, rowsOf } from "./Database.ts"

/** What is kept by name, as a list in the order of the Topology. */
const ordered = (column: "nodes" | "steps"): string => `(
    select coalesce(jsonb_agg(r.${column} -> (u.part ->> 'name') order by u.at), '[]')
    from jsonb_path_query(r.topology, '$.${column}[*]') with ordinality u (part, at)
    where r.${column} -> (u.part ->> 'name') is not null
  ) as ${column}`

/** The columns of a Run, from a table or an earlier part of the statement named `r`. */
export const runColumns = `
  r.id, r.tenant, r.name, r.target, r.status, ${ordered("nodes")}, ${ordered("steps")}, r.verdict, r.cleanup,
  case when r.subnet is not null then jsonb_build_object('cidr', r.subnet::text) end as network,
  case when r.error_code is not null
    then jsonb_build_object('code', r.error_code, 'detail', r.error_detail, 'node', r.error_node) end as error,
  r.cancel_requested_at is not null and r.finished_at is null as cancelling,
  r.keep_until as "keepUntil", r.created_at as "createdAt", r.started_at as "startedAt", r.finished_at as "finishedAt"`

const leaseColumns = `case when r.subnet is not null then jsonb_build_object('net', r.subnet::text,
  'pool', r.subnet_pool, 'owner', r.subnet_owner, 'fence', r.subnet_fence) end as lease`

/** The further columns of a Claim. */
export const heldRunColumns = `${runColumns}, ${leaseColumns}, r.job, r.fence, r.topology, r.secrets, r.credentials, r.plan`

/** The columns of what may be left of a Run. */
export const leftRunColumns = `r.id, r.id as run, r.tenant, r.target, ${leaseColumns}`

const runFields = {
  ...Run.fields,
  keepUntil: Schema.NullOr(Instant),
  createdAt: Instant,
  startedAt: Schema.NullOr(Instant),
  finishedAt: Schema.NullOr(Instant)
}

const Lease = Schema.NullOr(Schema.Struct({ net: Schema.String, pool: PoolName, owner: SubnetOwner, fence: Fence }))

/** A block that cannot be read is not given back with its Run: its lease runs out, and whoever has the pool finds it then. */
const SparedLease = Lease.pipe(Schema.catchDecoding(() => Effect.succeed(Option.some(null))))

const heldFields = {
  ...runFields,
  lease: Lease,
  job: JobId,
  fence: Int8.pipe(Schema.decodeTo(Fence)),
  topology: Topology,
  secrets: Schema.NullOr(Sealed),
  credentials: Schema.NullOr(Sealed),
  plan: Schema.NullOr(Plan)
}

const HeldRun = Schema.Struct(heldFields)

/** A Run that somebody holds, as its row has it. */
export type HeldRun = typeof HeldRun.Type

/** What is read instead of the parts of a Run that do not fit: nothing of its end needs them. */
const spared = {
  nodes: Run.fields.nodes.pipe(Schema.catchDecoding(() => Effect.succeed(Option.some([])))),
  steps: Run.fields.steps.pipe(Schema.catchDecoding(() => Effect.succeed(Option.some([])))),
  verdict: Run.fields.verdict.pipe(Schema.catchDecoding(() => Effect.succeed(Option.some(null)))),
  error: Run.fields.error.pipe(Schema.catchDecoding(() => Effect.succeed(Option.some(null))))
}

/** As {@link rowsOf}, but a row that does not fit is read without what is damaged of it, and the log says so. */
const sparedRowsOf = <A extends { readonly id: string }>(
  row: Schema.ConstraintDecoder<A>,
  damaged: Schema.ConstraintDecoder<A>
): (<E, R>(
  statement: Effect.Effect<ReadonlyArray<unknown>, E, R>
) => Effect.Effect<ReadonlyArray<A>, E | Schema.SchemaError, R>) => {
  const decode = Schema.decodeUnknownEffect(row)
  const decodeDamaged = Schema.decodeUnknownEffect(damaged)
  const spare = (raw: unknown) =>
    Effect.catch(decode(raw), (error) =>
      Effect.tap(decodeDamaged(raw), ({ id }) =>
        Effect.logError(`${id} is read without what is damaged of its row`, error)
      )
    )
  return (statement) => Effect.flatMap(statement, (rows) => Effect.forEach(rows, spare))
}

/** Reads Runs. */
export const runRows = rowsOf(Schema.Struct(runFields))

/** Reads Runs, each without what is damaged of it. */
export const sparedRunRows = sparedRowsOf(Schema.Struct(runFields), Schema.Struct({ ...runFields, ...spared }))

const listedFields = { ...runFields, position: Int8 }

/** Reads Runs with where they stand in the list of all, each without what is damaged of it. */
export const listedRunRows = sparedRowsOf(Schema.Struct(listedFields), Schema.Struct({ ...listedFields, ...spared }))

/** Reads Runs that somebody holds. */
export const heldRunRows = rowsOf(HeldRun)

/** A Topology that may have no nodes, as one has that cannot be read. */
const AnyTopology = Schema.Struct({ ...Topology.fields, nodes: Schema.Array(TopologyNode) })

/** Reads Runs that somebody holds, each without what is damaged of it. */
export const sparedHeldRunRows = sparedRowsOf(
  HeldRun,
  Schema.Struct({
    ...heldFields,
    ...spared,
    lease: SparedLease,
    plan: heldFields.plan.pipe(Schema.catchDecoding(() => Effect.succeed(Option.some(null)))),
    topology: AnyTopology.pipe(Schema.catchDecoding(() => Effect.succeed(Option.some({ nodes: [], steps: [] }))))
  })
)

/** Reads what may be left of Runs, each row for itself, without a block that is damaged. */
export const leftRunRows = eachRowOf(
  Run.fields.id,
  Schema.Struct({ run: Run.fields.id, tenant: Run.fields.tenant, target: Run.fields.target, lease: SparedLease })
)

/** The block of a Run. */
export const networkOf = (lease: HeldRun["lease"]): Effect.Effect<RunClaim["network"]> => {
  if (lease === null) return Effect.succeed(null)
  const { net, ...rest } = lease
  const subnet = parse(net)
  return subnet === undefined ? Effect.die(`${net} is no block of addresses`) : Effect.succeed({ subnet, lease: rest })
}

/** Parts of a Run as JSON, by their names. */
export const byNameJson = (parts: ReadonlyArray<{ readonly name: string }> = []): string =>
  JSON.stringify(Object.fromEntries(parts.map((part) => [part.name, part])), (_, value: unknown) =>
    typeof value === "string" ? storable(value) : value
  )

/** That nothing is left of any node. */
export const goneNodes = `(select coalesce(jsonb_object_agg(key, value || '{"status": "gone"}'), '{}') from jsonb_each(r.nodes))`

/** Changes the status of Runs and answers them. `change` is the part of the statement that ends in `returning` all of the row. */
export const moveRuns = (
  sql: SqlClient.SqlClient,
  change: Statement.Fragment,
  columns: string = runColumns
): Statement.Statement<object> =>
  sql<object>`with moved as (${change}),
    told as (insert into events (type, tenant, subject) select 'run.' || status, tenant, id from moved)
    select ${sql.literal(columns)} from moved r`
