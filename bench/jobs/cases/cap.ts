// Slots taken and given back with a cap and without one.

import { Effect } from "effect"
import { Cluster } from "../../env/cluster.ts"
import { type Case, history, storesOver } from "../ground.ts"
import { enough, ours, type Setting } from "../passing.ts"

const hot: Setting = { name: "hot", callers: 16, tenants: 1 }
const many: Setting = { name: "many", callers: 64, tenants: 64 }

const goal = ({ callers, name, tenants }: Setting) => ({
  name: `${callers} callers, ${tenants} Tenants, capped / not capped`,
  of: "perSecond" as const,
  ours: `capped-${name}`,
  peer: `free-${name}`,
  atLeast: 0.95
})

/** Both, on one Tenant and on many. */
export const cap = Effect.gen(function* () {
  yield* history("cap")
  const context = yield* storesOver((yield* Cluster).url)
  const all = [
    yield* ours("capped", hot, enough, context),
    yield* ours("free", hot, null, context),
    yield* ours("capped", many, enough, context),
    yield* ours("free", many, null, context)
  ]
  const part: Case = {
    name: "cap",
    contenders: all.map(({ contender }) => contender),
    goals: [goal(hot), goal(many)],
    check: Effect.map(Effect.all(all.map(({ check }) => check)), (wrong) => wrong.flat())
  }
  return part
})
