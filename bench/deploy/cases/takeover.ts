// How long a Deployment stays in the hands of a dead server: from SIGKILL until it is ended, and until the next one of its App
// is in the hands of the other server.

import { defaultLeaseTerms } from "@lockkeeper/core/domain/Lease"
import { Duration, Effect } from "effect"
import { begin, makeApp } from "../../../test/harness/deploying.ts"
import { goodApp } from "../../../test/harness/testApp.ts"
import { Ground, replicas, until } from "../ground.ts"
import type { Options } from "../options.ts"
import { medians, timed, told } from "../told.ts"

const round = Effect.fnUntraced(function* (options: Options) {
  const { archives } = yield* Ground
  const servers = yield* replicas(2, "process", options)
  const [asked] = servers
  if (asked === undefined) return yield* Effect.die("no server")
  const { id: app } = yield* makeApp(asked.client, { source: yield* archives.heldSource(goodApp("held")) })
  const { id: held } = yield* begin(asked.client, app)
  const inHand = yield* until(held, ["building"])
  const { id: next } = yield* begin(asked.client, app, { policy: "queue" })
  // Some time after the last renewal, which is different in each round.
  yield* Effect.sleep(Duration.millis(Math.random() * 4_000))
  const holder = servers.find(({ replica }) => replica === inHand?.replica)
  if (holder === undefined) return yield* Effect.die("nobody holds it")
  yield* holder.signal("SIGKILL")
  return yield* Effect.all(
    [
      Effect.map(timed(until(held, ["failed"])), ([seconds]) => seconds),
      Effect.map(timed(until(next, ["building"])), ([seconds]) => seconds)
    ],
    { concurrency: 2 }
  )
}, Effect.scoped)

/** Measures it in rounds of two new servers each. */
export const takeover = Effect.fnUntraced(function* (options: Options) {
  const rounds = yield* Effect.forEach(Array.from({ length: options.rounds }), () => round(options))
  const [ended, next] = [rounds.map(([seconds]) => seconds), rounds.map(([, seconds]) => seconds)]
  const atMost = Duration.toSeconds(defaultLeaseTerms.ttl) + 1
  const goal = {
    name: "takeover after SIGKILL, until the App's next Deployment runs",
    unit: "seconds",
    atMost
  } as const
  return [yield* told(goal, next, medians({ ended }))]
})
