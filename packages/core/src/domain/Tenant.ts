// Who owns Apps and is capped. Not here: who may act for a Tenant (that is the transport's business).
import { Schema } from "effect"

/** A Tenant's name: lower-case letters, digits and dashes, at most 63 characters, beginning with a letter. */
export const TenantName = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,62}$/)).pipe(
  Schema.brand("TenantName")
)

/** The type of {@link TenantName}. */
export type TenantName = typeof TenantName.Type

/** How many Slots a Tenant has until somebody changes it. */
export const defaultJobCap = 3

/** The most Slots that a Tenant has, also without a cap. */
export const maxJobCap = 10_000

/** How many Slots a Tenant may have: with 0 whatever it asks for waits, and null is no cap. */
export const JobCap = Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxJobCap })))

/** The type of {@link JobCap}. */
export type JobCap = typeof JobCap.Type

/** What a Tenant uses now: its cap (null is no cap), the Slots taken, and what waits for one. */
export const TenantUsage = Schema.Struct({
  tenant: TenantName,
  jobCap: JobCap,
  running: Schema.Int,
  queued: Schema.Int
})

/** The type of {@link TenantUsage}. */
export interface TenantUsage extends Schema.Schema.Type<typeof TenantUsage> {}
