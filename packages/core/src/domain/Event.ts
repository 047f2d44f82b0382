// What happened, written in the transaction that made it happen.
import { Schema } from "effect"
import { AppId, AppStatus } from "./App.ts"
import { DeploymentStatus } from "./Deployment.ts"
import { JobStatus } from "./Job.ts"
import { RunStatus } from "./Run.ts"
import { TenantName } from "./Tenant.ts"

/**
 * Where an Event stands in the order of all: the transaction that made it and its number, as `xid-number`, compared as two
 * numbers. Transactions commit in another order than they number their rows; with both parts no reader skips one.
 */
export const EventId = Schema.String.check(Schema.isPattern(/^\d{1,20}-\d{1,20}$/)).pipe(Schema.brand("EventId"))

/** The type of {@link EventId}. */
export type EventId = typeof EventId.Type

/** Whether an Event stands after another one in the order of all. */
export const isAfter = (id: EventId, other: EventId): boolean => {
  const [transaction, number] = partsOf(id)
  const [otherTransaction, otherNumber] = partsOf(other)
  return transaction === otherTransaction ? number > otherNumber : transaction > otherTransaction
}

const partsOf = (id: EventId): readonly [transaction: bigint, number: bigint] => {
  const [transaction = "0", number = "0"] = id.split("-")
  return [BigInt(transaction), BigInt(number)]
}

/** What kind of thing happened, as far as this version makes it happen. */
export const EventType = Schema.Union([
  Schema.TemplateLiteral(["deployment.", DeploymentStatus]),
  Schema.TemplateLiteral(["app.", AppStatus]),
  Schema.TemplateLiteral(["job.", JobStatus]),
  Schema.TemplateLiteral(["run.", RunStatus]),
  Schema.Literal("env.changed")
])

/** The type of {@link EventType}. */
export type EventType = typeof EventType.Type

/**
 * Something that happened; `subject` is the id of the thing it happened to, and `app` is null when that is of no App. While
 * replicas are replaced one after the other, an older one reads Events of a `type` that only a newer one knows, and passes
 * them on as they are. What no version may do is to write another shape than this: an older one passes over what it cannot
 * read.
 */
export const Event = Schema.Struct({
  id: EventId,
  type: Schema.String.check(Schema.isPattern(/^[a-z]+\.[a-z_]+$/)),
  at: Schema.DateTimeUtc,
  tenant: TenantName,
  app: Schema.NullOr(AppId),
  subject: Schema.String,
  data: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Null]))
})

/** The type of {@link Event}. */
export interface Event extends Schema.Schema.Type<typeof Event> {}
