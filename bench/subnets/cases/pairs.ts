// Subnets taken and given back by 64 callers and by one: the store beside the bare driver, which sends what the store sent with
// owners and Fences of its own, and begins its search at a random place as the store does.

import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { makeRecording, type Sent } from "../../deploy/replay.ts"
import { type Case, clientOf, pool as connections, sampled, stores, storesOver } from "../../jobs/ground.ts"
import { database, heldNow, passed } from "../ground.ts"

/** Recordings of which each sender takes one at random each time. */
const variations = 64

const recordedOwner = "recorded"

/** What taking and giving back sends, with the search begun at different places. */
const recordings = Effect.gen(function* () {
  const { layer, take } = yield* makeRecording
  return yield* Effect.gen(function* () {
    const all: Array<ReadonlyArray<Sent>> = []
    // The first one finds out how far the range is cut.
    while (all.length < variations) {
      yield* passed(recordedOwner)
      all.push(take())
    }
    return all
  }).pipe(Effect.provide(Layer.provideMerge(stores, layer)))
})

const fenceOf = (rows: ReadonlyArray<unknown>): unknown => {
  const [row] = rows
  return typeof row === "object" && row !== null && "fence" in row ? row.fence : undefined
}

/** Sends one of the recordings as its own. */
const sender = (plans: ReadonlyArray<ReadonlyArray<Sent>>, owner: string) =>
  Effect.gen(function* () {
    const plan = plans[Math.floor(Math.random() * plans.length)] ?? []
    const connection = yield* (yield* SqlClient.SqlClient).reserve
    const recorded = plan.map(({ rows }) => fenceOf(rows)).find((fence) => fence !== undefined)
    let fence: unknown
    for (const { params, text } of plan) {
      const own = params.map((value) =>
        value === recordedOwner ? owner : recorded !== undefined && String(value) === String(recorded) ? fence : value
      )
      fence = fenceOf(yield* connection.execute(text, own, undefined)) ?? fence
    }
  }).pipe(Effect.scoped)

/** Both, alone and all at once. */
export const pairs = Effect.gen(function* () {
  const at = yield* database("bench_pairs", 30_000)
  const recorded = yield* Effect.provide(recordings, clientOf(at, 1))
  const plans = recorded.filter((plan) => plan.length === 2)
  if (plans.length < variations / 2) return yield* Effect.die(new Error("a pair is not two statements"))
  const context = yield* storesOver(at)
  const bare = yield* Layer.build(clientOf(at))
  const contenders = [1, 64].flatMap((callers) => {
    const owners = (name: string) => Array.from({ length: callers }, (_, index) => `${name}-${callers}-${index}`)
    return [
      {
        name: `ours, ${callers}`,
        connections,
        run: (seconds: number) => Effect.provideContext(sampled(owners("ours").map(passed), seconds), context)
      },
      {
        name: `driver, ${callers}`,
        connections,
        run: (seconds: number) =>
          Effect.provideContext(
            sampled(
              owners("driver").map((owner) => sender(plans, owner)),
              seconds
            ),
            bare
          )
      }
    ]
  })
  const goal = (callers: number) => ({
    name: `${callers} callers take and give back / bare driver, same statements`,
    of: "perSecond" as const,
    ours: `ours, ${callers}`,
    peer: `driver, ${callers}`
  })
  const part: Case = {
    name: "pairs",
    contenders,
    goals: [{ ...goal(64), atLeast: 0.9 }, goal(1)],
    check: Effect.map(Effect.provideContext(heldNow, bare), (held) =>
      held === 30_000 ? [] : [`${held} are held in the end, and not 30000`]
    )
  }
  return part
})
