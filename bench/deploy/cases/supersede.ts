// How long a Deployment goes on that was superseded on another server than the one that has it in hand: from the request
// until its holder has ended it, which is a little after it has noticed.

import { Effect } from "effect"
import { begin, makeApp } from "../../../test/harness/deploying.ts"
import { goodApp } from "../../../test/harness/testApp.ts"
import { Ground, replicas, until } from "../ground.ts"
import type { Options } from "../options.ts"
import { quantile, timed, told } from "../told.ts"

/** Supersedes one Deployment after the other, each on the server that does not have it. */
export const supersede = Effect.fnUntraced(function* (options: Options) {
  const { archives } = yield* Ground
  const servers = yield* replicas(2, "process", options)
  const [first] = servers
  if (first === undefined) return yield* Effect.die("no server")
  const { id: app } = yield* makeApp(first.client, { source: yield* archives.heldSource(goodApp("held")) })
  const seconds: Array<number> = []
  let { id: current } = yield* begin(first.client, app)
  for (let count = 0; count < options.supersedes; count++) {
    const inHand = yield* until(current, ["building"])
    // Some time after the holder looked last, which is different each time.
    yield* Effect.sleep(Math.random() * 500)
    const other = servers.find(({ replica }) => replica !== inHand?.replica) ?? first
    const superseding = Effect.gen(function* () {
      const { id } = yield* begin(other.client, app, { policy: "supersede" })
      yield* until(current, ["superseded"])
      return id
    })
    const [took, next] = yield* timed(superseding)
    seconds.push(took)
    current = next
  }
  const goal = {
    name: "supersede on another replica, p99",
    unit: "seconds",
    atMost: options.isDirect ? 0.2 : 2.2
  } as const
  const p50 = Number(quantile(seconds, 0.5).toPrecision(4))
  return [yield* told(goal, seconds, { p50, heard: options.isDirect ? "LISTEN" : "polling" }, 0.99)]
}, Effect.scoped)
