// Many writers on as many Apps, against the same statements through the bare driver and in pgbench.

import { Effect } from "effect"
import { all, type Case } from "../compare.ts"
import type { Options } from "../options.ts"
import { ours } from "../ours.ts"
import { driverReplay, pgbenchReplay } from "../replay.ts"

const keys = 10

/** The goals of Apps that one writer each writes to. */
export const spread = Effect.fnUntraced(function* ({ pool: connections, writers }: Options) {
  const mine = yield* ours({ name: "spread", apps: writers, keys, writers, processes: 1, connections })
  const driver = yield* driverReplay("spread-driver", writers, keys, connections)
  const peer = yield* pgbenchReplay("spread-pgbench", writers, keys)
  const part: Case = {
    name: "spread",
    contenders: [mine.contender, driver.contender, peer],
    goals: [
      {
        name: "64 writers, 64 Apps / bare driver, same statements",
        of: "perSecond",
        ours: "spread",
        peer: "spread-driver",
        atLeast: 0.9
      },
      {
        name: "64 writers, 64 Apps / pgbench, same statements",
        of: "perSecond",
        ours: "spread",
        peer: "spread-pgbench",
        atLeast: 1.5
      }
    ],
    check: all([mine.check, driver.check])
  }
  return part
})
