// Callers that take Slots of Tenants and give them back, as contenders, and how many at once on how many Tenants.

import type { JobStore } from "@lockkeeper/core/port/JobStore"
import { type Context, Effect } from "effect"
import { counted, passed, pool, sampled, tenantsOf } from "./ground.ts"

/** Who does it: so many at once, each on a Tenant of its own or all on one. */
export interface Setting {
  readonly name: string
  readonly callers: number
  readonly tenants: number
}

/** What each caller takes: one of these in turn. */
export const each = <A>({ callers }: Setting, all: ReadonlyArray<A>): ReadonlyArray<A> =>
  Array.from({ length: callers }, (_, caller) => all[caller % all.length]).flatMap((one) => one ?? [])

/** A cap above the number of callers, so that nobody is refused. */
export const enough = 2 * pool

/** The store, with the Tenants that it needs. */
export const ours = Effect.fnUntraced(function* (
  prefix: string,
  setting: Setting,
  cap: number | null,
  context: Context.Context<JobStore>
) {
  const name = `${prefix}-${setting.name}`
  const tenants = yield* tenantsOf(name, setting.tenants, cap)
  const run = (seconds: number) => Effect.provideContext(sampled(each(setting, tenants).map(passed), seconds), context)
  return counted({ name, connections: pool, run })
})
