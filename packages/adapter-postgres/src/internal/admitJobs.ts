// Gives Jobs that wait into somebody's hands: those whose turn it is, of several Tenants at once, or the one that its caller
// waits for. Who takes a Job holds its Tenant, then the Job. A row that cannot be read, or that somebody keeps, stands in no
// other Tenant's way.

import { isJobId, type JobId } from "@lockkeeper/core/domain/Job"
import { type JobClaim, type Worker, waitingLeases } from "@lockkeeper/core/port/JobRequest"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect } from "effect"
import { leaseEnd } from "./claims.ts"
import type { Database } from "./Database.ts"
import { isBusy } from "./faults.ts"
import { heldJobColumns, heldJobRows, inSlots, jobClaimOf, moveJobs, waitingUntil } from "./jobRows.ts"
import { type Candidate, slots, type Standing } from "./slots.ts"

/** A Job, and the Slot that it is to have. */
interface Place {
  readonly job: JobId
  readonly slot: number
}

/** What came of one try: the Claims, and which Tenants are to be tried again. */
interface Attempt {
  readonly claims: ReadonlyArray<JobClaim>
  readonly again: ReadonlyArray<Candidate>
}

const nothing: Attempt = { claims: [], again: [] }

/** Builds `admit` and `admitJob`. */
export const admitJobs = (db: Database) => {
  const { sql } = db
  const queue = slots(db)

  /**
   * Jobs are held in the order of their ids first, so that no two who take several wait for each other. However many there
   * are, it has one plan.
   */
  const taken = Effect.fnUntraced(function* (places: ReadonlyArray<Place>, by: Worker, isWaiting: boolean) {
    if (places.length === 0) return []
    const skip = sql.literal(isWaiting ? "" : "skip locked")
    const rows = yield* heldJobRows(
      moveJobs(
        sql,
        sql`with held as materialized (
            select p.* from jobs j, jsonb_to_recordset(${JSON.stringify(places)}::jsonb) p (job text, slot int)
            where j.id = p.job order by j.id for no key update of j ${skip}
          )
          update jobs j set status = 'running', fence = j.fence + 1, replica = ${by.replica}, slot = held.slot,
            lease_until = ${leaseEnd(sql, by.terms)}, started_at = clock_timestamp()
          from held where j.id = held.job and j.status = 'queued' returning j.*`,
        inSlots(sql),
        heldJobColumns
      )
    )
    const placeOf = new Map(places.map(({ job }, index) => [job, index]))
    return rows.map(jobClaimOf).sort((a, b) => (placeOf.get(a.job.id) ?? 0) - (placeOf.get(b.job.id) ?? 0))
  })

  const attempt = (
    tenants: ReadonlyArray<Candidate>,
    by: Worker,
    most: number,
    placesIn: (states: ReadonlyArray<Standing>, most: number) => ReadonlyArray<Place> = inTurns
  ) =>
    db.transaction<Attempt>("JobStore.admit", (lockTimeout) =>
      Effect.gen(function* () {
        const states = yield* queue.held(tenants, most, lockTimeout)
        const places = placesIn(states, most)
        const claims = yield* taken(places, by, tenants.length === 1)
        const done = new Set(claims.length < places.length ? [] : states.map(({ tenant }) => tenant))
        return { claims, again: tenants.filter(({ tenant }) => !done.has(tenant)) }
      })
    )

  /** Tries Tenants one after the other, and waits for each, until one has something; answers who is to be tried again. */
  const firstOf = Effect.fnUntraced(function* (tenants: ReadonlyArray<Candidate>, by: Worker, most: number) {
    const again: Array<Candidate> = []
    for (const tenant of tenants) {
      const one = yield* Effect.catchIf(attempt([tenant], by, most), isOfOneTenant, (error) =>
        Effect.as(Effect.logWarning(`the queue of ${tenant.tenant} is passed over`, error), nothing)
      )
      if (one.claims.length > 0) return one
      again.push(...one.again)
    }
    return { claims: [], again }
  })

  /** Takes of all who can be had without a wait. Only when nobody had anything are the others waited for, and tried twice. */
  const admit = Effect.fnUntraced(function* (
    by: Worker,
    limit: number
  ): Effect.fn.Return<ReadonlyArray<JobClaim>, StoreError> {
    const tenants = yield* db.statement<ReadonlyArray<Candidate>>("JobStore.admit", queue.candidates("job"))
    const untried: Attempt = { claims: [], again: tenants }
    const isAlone = tenants.length < 2
    let taken = isAlone
      ? untried
      : yield* Effect.catchIf(attempt(tenants, by, limit), isOfOneTenant, () => Effect.succeed(untried))
    for (let tries = 0; tries < 2 && taken.claims.length === 0 && taken.again.length > 0; tries++) {
      taken = yield* firstOf(taken.again, by, limit)
    }
    return taken.claims
  })

  const stillWaiting = (by: Worker, job: JobId) =>
    db.statement<void>(
      "JobStore.admitJob",
      Effect.asVoid(sql`update jobs set lease_until = ${waitingUntil(sql, by)}
        where id = ${job} and status = 'queued' and command is null and replica = ${by.replica}
          and lease_until < clock_timestamp() + ${(Duration.toMillis(by.terms.ttl) * waitingLeases) / 2}::float8 * interval '1 millisecond'`)
    )

  const admitJob = Effect.fnUntraced(function* (
    by: Worker,
    job: JobId
  ): Effect.fn.Return<JobClaim | undefined, StoreError> {
    yield* stillWaiting(by, job)
    const tenants = yield* db.statement<ReadonlyArray<Candidate>>("JobStore.admitJob", queue.candidateOf("job", job))
    if (tenants.length === 0) return undefined
    const { claims } = yield* attempt(tenants, by, 1, (states) => states.flatMap((state) => placeOf(job, state)))
    return claims[0]
  })

  return { admit, admitJob }
}

/** What fails so says nothing of other Tenants. */
const isOfOneTenant = ({ cause, reason }: StoreError): boolean => reason === "corrupt" || isBusy(cause)

/** The Slot of a Job that is next. */
const placeOf = (job: JobId, { free: [slot], waiting: [next] }: Standing): ReadonlyArray<Place> =>
  slot !== undefined && next?.id === job ? [{ job, slot }] : []

/** The Jobs of a Tenant that wait for nobody but a worker, with their Slots. */
const placesOf = ({ free, waiting }: Standing): ReadonlyArray<Place> => {
  const places: Array<Place> = []
  for (const [index, { id, kind }] of waiting.entries()) {
    const slot = free[index]
    if (slot === undefined || kind !== "job" || !isJobId(id)) break
    places.push({ job: id, slot })
  }
  return places
}

/** So many of the Tenants' Jobs at most: one of each, then a second of each, and so on. */
const inTurns = (states: ReadonlyArray<Standing>, most: number): ReadonlyArray<Place> => {
  const all = states.map(placesOf)
  const turns = Math.max(0, ...all.map(({ length }) => length))
  return Array.from({ length: turns }, (_, turn) => all.flatMap((places) => places[turn] ?? []))
    .flat()
    .slice(0, most)
}
