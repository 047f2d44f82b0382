// Slots taken and given back: the store beside the bare driver and pgbench, which send the store's own statements.

import { JobStore } from "@lockkeeper/core/port/JobStore"
import { type Context, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { makeRecording } from "../../deploy/replay.ts"
import { Cluster } from "../../env/cluster.ts"
import { pgbench } from "../../env/pgbench.ts"
import {
  clientOf,
  counted,
  history,
  passed,
  pool,
  sampled,
  slotOf,
  stores,
  storesOver,
  tenantsOf,
  type Case,
  type Passing
} from "../ground.ts"
import { each, enough, ours, type Setting } from "../passing.ts"
import { type Plan, planOf, sender } from "../plan.ts"
import { scriptOf } from "../script.ts"

const alone: Setting = { name: "alone", callers: 1, tenants: 1 }
const hot: Setting = { name: "hot", callers: 16, tenants: 1 }
const some: Setting = { name: "some", callers: 16, tenants: 16 }
const many: Setting = { name: "many", callers: 64, tenants: 64 }

/** What taking a Slot and giving it back sends. Slots are held meanwhile, one more each time, so that the number is seen to change. */
export const recorded = Effect.gen(function* () {
  const { layer, take } = yield* makeRecording
  return yield* Effect.gen(function* () {
    const [tenant] = yield* tenantsOf("recorded", 1, null)
    if (tenant === undefined) return yield* Effect.die(new Error("there is no Tenant"))
    const recordings: Array<ReturnType<typeof take>> = []
    while (recordings.length < 2) {
      yield* (yield* JobStore).begin(slotOf(tenant))
      take()
      yield* passed(tenant)
      recordings.push(take())
    }
    return yield* planOf(tenant, recordings[0] ?? [], recordings[1] ?? [])
  }).pipe(Effect.provide(Layer.provideMerge(stores, layer)))
})

/** The cap is more than there are callers, so that nobody is refused. */
const seeded = (name: string, { tenants }: Setting) => tenantsOf(name, tenants, enough)

const driver = Effect.fnUntraced(function* (
  setting: Setting,
  plan: Plan,
  context: Context.Context<SqlClient.SqlClient>
) {
  const name = `driver-${setting.name}`
  const tenants = yield* seeded(name, setting)
  const senders = each(setting, tenants).map((tenant) => sender(plan, tenant))
  return counted({
    name,
    connections: pool,
    run: (seconds) => Effect.provideContext(sampled(senders, seconds), context)
  })
})

const inPgbench = Effect.fnUntraced(function* (setting: Setting, plan: Plan) {
  const name = `pgbench-${setting.name}`
  yield* seeded(name, setting)
  const script = yield* scriptOf(plan, `'${name}-' || (:client_id % ${setting.tenants})`)
  const contender: Passing = {
    name,
    connections: setting.callers,
    run: (seconds) => pgbench({ name, script, clients: setting.callers }, seconds)
  }
  return counted(contender)
})

const goal = (setting: Setting, peer: "driver" | "pgbench") => ({
  name: `${setting.callers} callers, ${setting.tenants} Tenants / ${peer}, same statements`,
  of: "perSecond" as const,
  ours: `ours-${setting.name}`,
  peer: `${peer}-${setting.name}`
})

/** Everybody, in one part: they take turns in each round. */
export const admission = Effect.gen(function* () {
  const { url } = yield* Cluster
  yield* history("admission")
  const plan = yield* recorded
  const context = yield* storesOver(url)
  const bare = yield* Layer.build(clientOf(url))
  const all = [
    yield* ours("ours", alone, enough, context),
    yield* driver(alone, plan, bare),
    yield* inPgbench(alone, plan),
    yield* ours("ours", hot, enough, context),
    yield* driver(hot, plan, bare),
    yield* inPgbench(hot, plan),
    yield* ours("ours", some, enough, context),
    yield* inPgbench(some, plan),
    yield* ours("ours", many, enough, context),
    yield* driver(many, plan, bare),
    yield* inPgbench(many, plan)
  ]
  const part: Case = {
    name: "admission",
    contenders: all.map(({ contender }) => contender),
    goals: [
      ...[alone, hot, many].map((setting) => ({ ...goal(setting, "driver"), atLeast: 0.9 })),
      ...[alone, some, many].map((setting) => ({ ...goal(setting, "pgbench"), atLeast: 0.75 })),
      goal(hot, "pgbench")
    ],
    check: Effect.map(Effect.all(all.map(({ check }) => check)), (wrong) => wrong.flat())
  }
  return part
})
