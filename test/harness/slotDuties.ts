// What the processes of slotWorker.ts do.

import { Command } from "@lockkeeper/core/domain/Workload"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import type { Begun, JobTask } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { begin } from "@lockkeeper/core/program/begin"
import { beginJob, rerunJob } from "@lockkeeper/core/program/beginJob"
import { carryOutJob } from "@lockkeeper/core/program/carryOutJob"
import { carryOut } from "@lockkeeper/core/program/deploy"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { reapAbandoned } from "@lockkeeper/core/program/reap"
import { reapJobs } from "@lockkeeper/core/program/reapJobs"
import { Replica } from "@lockkeeper/core/program/Replica"
import { beginRollback } from "@lockkeeper/core/program/rollback"
import { runBatch } from "@lockkeeper/core/program/runBatch"
import { withSlot } from "@lockkeeper/core/program/withSlot"
import { Effect, Random, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { held, untilThere } from "./slotHold.ts"
import type { Duty } from "./slotOrders.ts"
import { Entry, type Finished } from "./slotOrders.ts"

const command: JobTask = {
  command: Command.make(["true"]),
  timeoutSeconds: 600,
  itemConcurrency: 1,
  onItemFailure: "continue"
}

const inSlot: JobTask = { ...command, command: null }

/** Does something again and again, also when it fails. */
const again = <A, E, R>(self: Effect.Effect<A, E, R>, millis: number) =>
  Effect.forever(Effect.andThen(Effect.ignoreCause(self), Effect.sleep(millis)))

/** Takes what is admitted, but while the file `paused` is there, and what is abandoned, as a Dispatcher does. */
const served = Effect.fnUntraced(function* (directory: string) {
  const [deployments, jobs, replica] = [yield* DeploymentStore, yield* JobStore, yield* Replica]
  const by = { replica: replica.id, terms: replica.terms }
  const admitDeployment = Effect.gen(function* () {
    const claim = yield* deployments.admit(by)
    if (claim !== undefined) yield* Effect.forkDetach(carryOut(claim))
  })
  const admitJobs = Effect.gen(function* () {
    for (const claim of yield* jobs.admit(by, 64)) yield* Effect.forkDetach(carryOutJob(claim))
  })
  const isPaused = Effect.sync(() => Fs.existsSync(Path.join(directory, "paused")))
  const unlessPaused = <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.flatMap(isPaused, (is) => (is ? Effect.void : Effect.asVoid(self)))
  const loops = [again(unlessPaused(admitDeployment), 5), again(unlessPaused(admitJobs), 5), again(reaping, 50)]
  yield* Effect.all(loops, { concurrency: "unbounded" })
})

const reaping = Effect.andThen(reapAbandoned(), reapJobs())

const carriedOut = (begun: Begun) =>
  begun.claim === undefined ? Effect.void : Effect.asVoid(Effect.forkDetach(carryOutJob(begun.claim)))

/** Asks in one way, and answers when that is answered; what holds its Slot for its caller, when that has ended. */
const asked = Effect.fnUntraced(function* (entry: Entry, directory: string, name: string) {
  switch (entry._tag) {
    case "deploy":
      return yield* Effect.asVoid(begin({ app: entry.app, trigger: { kind: "manual" } }))
    case "redeploy":
      return yield* Effect.asVoid(begin({ app: entry.app, trigger: { kind: "redeploy" }, release: "current" }))
    case "rollback":
      return yield* Effect.asVoid(beginRollback({ app: entry.app, release: entry.release }))
    case "start":
      return yield* Effect.asVoid(
        begin({ app: entry.app, trigger: { kind: "start" }, policy: "supersede", release: "current" })
      )
    case "reject":
    case "queue":
      return yield* Effect.flatMap(
        beginJob({ of: { app: entry.app }, task: command, items: undefined, onFull: entry._tag }),
        carriedOut
      )
    case "rerun":
      return yield* Effect.flatMap(rerunJob(entry.job), carriedOut)
    case "slot":
      return yield* withSlot({ tenant: entry.tenant }, held(directory, name, entry.name))
    case "slotReject":
      return yield* withSlot({ tenant: entry.tenant, onFull: "reject" }, held(directory, name, entry.name))
    case "batch": {
      const { key, tenant } = entry
      const request = { tenant, key, items: ["a", "b", "c"], result: Schema.String, concurrency: 3 }
      return yield* Effect.asVoid(runBatch(request, ({ item }) => Effect.as(held(directory, name, key), item)))
    }
  }
})

/** Asks, round by round, for all that it is told at once, and writes down how each was answered. */
export const rounds = Effect.fnUntraced(function* (directory: string, name: string) {
  const read = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Array(Entry)))
  yield* Effect.forkChild(served(directory))
  for (let round = 1; ; round++) {
    const file = Path.join(directory, `round-${round}-${name}`)
    yield* untilThere(`${file}.json`)
    const entries = yield* read(Fs.readFileSync(`${file}.json`, "utf8"))
    yield* untilThere(Path.join(directory, `go-${round}`))
    yield* Effect.forEach(
      entries,
      (entry) =>
        Effect.gen(function* () {
          const result = yield* Effect.result(asked(entry, directory, name))
          const tag = result._tag === "Success" ? "done" : result.failure._tag
          const why = result._tag === "Failure" && "reason" in result.failure ? result.failure.reason : ""
          const line = `${entry._tag} ${tag} ${typeof why === "string" ? why : why._tag}`.trim()
          Fs.appendFileSync(`${file}.answers`, `${JSON.stringify(line)}\n`)
        }),
      { concurrency: "unbounded", discard: true }
    )
  }
})

/** Takes a Slot by the store itself, works for a moment, and ends it, whether its lease is lost meanwhile or not. */
const taken = Effect.fnUntraced(function* (tenant: TenantName, file: string) {
  const jobs = yield* JobStore
  const { claim } = yield* beginJob({ of: { tenant }, task: inSlot, items: undefined, onFull: "reject" })
  if (claim === undefined) return
  const isLong = (yield* Random.next) < 0.25
  yield* Effect.sleep(yield* isLong ? Random.nextIntBetween(100, 300) : Random.nextIntBetween(1, 15))
  const { fence, job } = claim
  const accepted = yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 }).pipe(
    Effect.as(true),
    Effect.catchTag("LeaseLost", () => Effect.succeed(false))
  )
  const line: typeof Finished.Type = { job: job.id, fence, accepted }
  Fs.appendFileSync(file, `${JSON.stringify(line)}\n`)
})

/** Takes Slots and gives them back without a pause, of the first Tenant without waiting, and recovers what others have lost. */
export const churn = Effect.fnUntraced(function* (
  tenants: readonly [TenantName, ...ReadonlyArray<TenantName>],
  directory: string,
  name: string
) {
  const file = Path.join(directory, `${name}.finished`)
  // Whoever is refused when no Slot is free has none as long as somebody waits: each has a Tenant of its own.
  const [refusing, ...waiting] = tenants
  const waits = Effect.flatMap(Effect.orDie(Random.choice(waiting)), (tenant) =>
    withSlot({ tenant }, Effect.sleep("5 millis"))
  )
  const direct = taken(refusing, file)
  const loops = [again(waits, 1), again(waits, 1), again(direct, 1), again(direct, 1), again(direct, 1)]
  yield* Effect.all([...loops, again(reaping, 100)], { concurrency: "unbounded" })
})

/** Carries a Batch on until it is done, and writes down its results. */
export const batch = Effect.fnUntraced(function* (
  { items, key, tenant }: Extract<typeof Duty.Type, { readonly _tag: "batch" }>,
  directory: string,
  name: string
) {
  const sql = yield* SqlClient.SqlClient
  yield* Effect.forkChild(again(reaping, 50))
  const results = yield* runBatch({ tenant, key, items, result: Schema.String, concurrency: 4 }, ({ item }) =>
    sql`insert into effects (item) values (${item})`.pipe(
      Effect.andThen(Effect.flatMap(Random.nextIntBetween(5, 25), (millis) => Effect.sleep(millis))),
      Effect.as(item.toUpperCase())
    )
  ).pipe(
    Effect.retry({
      while: (error) =>
        error._tag === "LeaseLost" || (error._tag === "JobRefused" && error.reason._tag === "AlreadyRunning"),
      schedule: Schedule.spaced("20 millis")
    })
  )
  Fs.writeFileSync(Path.join(directory, `${name}.results`), JSON.stringify(results))
})
