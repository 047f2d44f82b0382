// Begins Jobs; those that are asked for at the same time of one App or Tenant are begun together, in the order in which they
// were. What they begin on is held first (jobGround.ts).

import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { type Begun, JobRefused, type JobRequest, waitingLeases } from "@lockkeeper/core/port/JobRequest"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { type Array as Arr, Duration, Effect, type Scope } from "effect"
import type { Database } from "./Database.ts"
import type { Fault } from "./faults.ts"
import { gathering } from "./gathering.ts"
import { askedBy, type Entry, type Ground, jobGround } from "./jobGround.ts"
import { begunJobRows, heldJobColumns, inSlots, jobClaimOf, jobColumns, keyedJobRows, moveJobs } from "./jobRows.ts"

const operation = "JobStore.begin"

/** What one who asked is answered. */
type Answer = Effect.Effect<Begun, JobRefused>

/** One who asked, at a place among all who did. */
interface Entering {
  readonly place: number
  readonly request: JobRequest
  readonly entry: Entry
}

/** Makes `begin`. */
export const beginJobs = Effect.fnUntraced(function* (
  db: Database
): Effect.fn.Return<(request: JobRequest) => Effect.Effect<Begun, JobRefused | StoreError>, never, Scope.Scope> {
  const { sql } = db
  const { entries, groundOf } = jobGround(db)

  const keyed = Effect.fnUntraced(function* (tenant: TenantName, requests: ReadonlyArray<JobRequest>) {
    const keys = requests.flatMap(({ key }) => key ?? [])
    if (keys.length === 0) return []
    return yield* keyedJobRows(sql`select ${sql.literal(jobColumns)}, j.key from jobs j
      where j.tenant = ${tenant} and j.key = any(${keys.map(String)}::text[])`)
  })

  const inRelease = (value: string | number | undefined) =>
    sql`case when r.command is not null then ${value === undefined ? null : String(value)}::text end`

  const rows = ({ app, of, state }: Ground, entering: ReadonlyArray<Entering>) =>
    sql`insert into jobs as j
      (tenant, app, kind, key, command, timeout_seconds, item_concurrency, on_item_failure, on_full, items_total,
        ttl_seconds, release, image, env_revision, status, fence, replica, lease_until, slot, started_at)
      select ${state.tenant}::text, ${app}::text, r.kind, r.key, r.command, r."timeoutSeconds", r."itemConcurrency",
        r."onItemFailure", r."onFull", r.items,
        r."ttlSeconds",
        ${inRelease(of?.release)}, ${inRelease(of?.image)}, (${inRelease(of?.envRevision)})::int,
        case when r.slot is null then 'queued' else 'running' end, case when r.slot is null then 0 else 1 end,
        case when r.slot is not null or r.command is null then r.replica end,
        case when r.slot is not null or r.command is null then clock_timestamp() + r.ttl * interval '1 millisecond' end,
        r.slot, case when r.slot is not null then clock_timestamp() end
      from jsonb_to_recordset(${JSON.stringify(entering.map(recordOf))}::jsonb) r (
        place int, kind text, key text, command jsonb, "timeoutSeconds" int, "itemConcurrency" int, "onItemFailure" text,
        "onFull" text, items int, "ttlSeconds" int, replica text, ttl float8, slot int
      )
      order by r.place returning j.*`

  const entered = Effect.fnUntraced(function* (ground: Ground, entering: ReadonlyArray<Entering>) {
    if (entering.length === 0) return []
    const made = yield* begunJobRows(moveJobs(sql, rows(ground, entering), inSlots(sql), heldJobColumns, "j.position"))
    const all = entering.flatMap((one, index) => {
      const row = made[index]
      return row === undefined ? [] : [{ ...one, row }]
    })
    const items = all.flatMap(({ request, row: { id } }) =>
      (request.items ?? []).map((item, index) => ({ id, number: index + 1, item }))
    )
    if (items.length > 0) {
      yield* sql`insert into job_items (job, number, item) select * from unnest(${items.map(({ id }) => String(id))}::text[],
        ${items.map(({ number }) => number)}::int[], ${items.map(({ item }) => String(item))}::text[])`
    }
    return all.map(({ entry, place, request, row }) => {
      const claim = jobClaimOf({ ...row, replica: request.by.replica, queuePosition: entry.position })
      const begun: Begun = { job: claim.job, claim: entry.slot === null ? undefined : claim, created: true }
      return { place, begun }
    })
  })

  /** Answers each in its place. */
  const begun = Effect.fnUntraced(function* (
    requests: ReadonlyArray<JobRequest>,
    ground: Ground
  ): Effect.fn.Return<ReadonlyArray<Answer>, Fault> {
    const earlier = new Map((yield* keyed(ground.state.tenant, requests)).map(({ key, ...job }) => [key, job]))
    const answers = requests.map(({ key }): Answer => {
      const job = key === undefined ? undefined : earlier.get(key)
      return job === undefined ? missing : Effect.succeed({ job, claim: undefined, created: false })
    })
    const fresh = requests
      .map((request, place) => ({ request, place }))
      .filter(({ request: { key } }) => key === undefined || !earlier.has(key))
    const decided = entries(
      ground,
      fresh.map(({ request }) => askedBy(request))
    )
    const entering: Array<Entering> = []
    for (const [index, { place, request }] of fresh.entries()) {
      const entry = decided[index]
      if (entry instanceof JobRefused) answers[place] = Effect.fail(entry)
      else if (entry !== undefined) entering.push({ place, request, entry })
    }
    for (const { begun, place } of yield* entered(ground, entering)) answers[place] = Effect.succeed(begun)
    return answers
  })

  const send = (requests: Arr.NonEmptyReadonlyArray<JobRequest>) =>
    db.transaction<ReadonlyArray<Answer>>(operation, (lockTimeout) =>
      groundOf(requests, lockTimeout).pipe(
        Effect.flatMap((ground) => begun(requests, ground)),
        Effect.catchTag("JobRefused", (refused) => Effect.succeed(requests.map(() => Effect.fail(refused))))
      )
    )

  return yield* gathering<JobRequest, Begun, JobRefused>({
    operation,
    most: 64,
    key: ({ of }) => ("app" in of ? of.app : of.tenant),
    apart: ({ key }) => key,
    send
  })
})

const missing = Effect.die("a Job that was just made is not there")

/** A Job as a row, but for what it begins on. What waits without a command is believed to for a while, too. */
const recordOf = ({ entry: { slot }, place, request }: Entering) => {
  const { by, items, key, onFull, task, ttlSeconds } = request
  const ttl = Duration.toMillis(by.terms.ttl)
  return {
    ...task,
    place,
    kind: items !== undefined ? "batch" : task.command === null ? "slot" : "command",
    key,
    onFull,
    items: items?.length ?? 0,
    ttlSeconds,
    replica: by.replica,
    ttl: slot === null ? ttl * waitingLeases : ttl,
    slot
  }
}
