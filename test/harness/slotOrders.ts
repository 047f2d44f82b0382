// What a process of slotWorker.ts is told, what it writes down, and how all of that is read again.

import { AppId, ReleaseId } from "@lockkeeper/core/domain/App"
import { JobId } from "@lockkeeper/core/domain/Job"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { JobKey } from "@lockkeeper/core/port/JobRequest"
import { Schema } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"

/** One way in which work of a Tenant is asked for. */
export const Entry = Schema.Union([
  Schema.TaggedStruct("deploy", { app: AppId }),
  Schema.TaggedStruct("redeploy", { app: AppId }),
  Schema.TaggedStruct("rollback", { app: AppId, release: ReleaseId }),
  Schema.TaggedStruct("start", { app: AppId }),
  Schema.TaggedStruct("reject", { app: AppId }),
  Schema.TaggedStruct("queue", { app: AppId }),
  Schema.TaggedStruct("rerun", { job: JobId }),
  Schema.TaggedStruct("slot", { tenant: TenantName, name: Schema.String }),
  Schema.TaggedStruct("slotReject", { tenant: TenantName, name: Schema.String }),
  Schema.TaggedStruct("batch", { tenant: TenantName, key: JobKey })
])

/** The type of {@link Entry}. */
export type Entry = typeof Entry.Type

/**
 * What to do: ask for all of what a file `round-<n>-<name>` in the directory says, at once, when `go-<n>` is there; take
 * and give back Slots of Tenants without a pause; or carry on one Batch to its end.
 */
export const Duty = Schema.Union([
  Schema.TaggedStruct("rounds", {}),
  Schema.TaggedStruct("churn", { tenants: Schema.NonEmptyArray(TenantName) }),
  Schema.TaggedStruct("batch", { tenant: TenantName, key: JobKey, items: Schema.Array(Schema.String) })
])

/** As JSON in the variable `WORKER`. `<name>.ready` in the directory says that the process has begun. */
export const SlotOrders = Schema.Struct({
  name: Schema.String,
  directory: Schema.String,
  leaseMillis: Schema.Int,
  duty: Duty
})

/** The type of {@link SlotOrders}. */
export type SlotOrders = typeof SlotOrders.Type

/** That work began or ended, in milliseconds on the monotonic clock of this machine. */
export const Edge = Schema.Struct({ work: Schema.String, at: Schema.Finite, is: Schema.Literals(["begin", "end"]) })

/** The type of {@link Edge}. */
export type Edge = typeof Edge.Type

/** That a holder ended its Job under a Fence, and was believed or not. */
export const Finished = Schema.Struct({ job: JobId, fence: Schema.Int, accepted: Schema.Boolean })

/** Every line that processes have written to files with this ending; a line that a kill has cut off is passed over. */
export const linesOf = <A, E>(codec: Schema.Codec<A, E>, directory: string, ending: string): ReadonlyArray<A> =>
  Fs.readdirSync(directory)
    .filter((file) => file.endsWith(ending))
    .flatMap((file) => Fs.readFileSync(Path.join(directory, file), "utf8").split("\n").slice(0, -1))
    .map((line) => Schema.decodeSync(Schema.fromJsonString(codec))(line))

/** How many were begun and not ended at the same time, at most; `running` where something begins before the first edge. */
export const mostAtOnce = (edges: ReadonlyArray<Edge>): number => {
  const running = new Set<string>()
  const rank = { end: 0, begin: 1 }
  return edges
    .toSorted((a, b) => a.at - b.at || rank[a.is] - rank[b.is])
    .reduce((most, { is, work }) => {
      if (is === "begin") running.add(work)
      else running.delete(work)
      return Math.max(most, running.size)
    }, 0)
}
