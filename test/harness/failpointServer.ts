// The reference server with failpoints, for a test in another process: it obeys a file each time it gets SIGUSR2. From then
// on it writes the points that it reaches into another file, and does at one of them what it was told. How long its leases
// are may be given.

import { type FailpointReaction, Failpoints } from "@lockkeeper/core/port/failpoint"
import { endsAfter, endsBefore, type Reaction } from "@lockkeeper/core/testing/Reaction"
import { defaultLeaseTerms, type LeaseTerms } from "@lockkeeper/core/domain/Lease"
import { Duration, Effect, Schema } from "effect"
import { appendFileSync, readFileSync } from "node:fs"
import { mainUnder } from "../../examples/server/main.ts"
import { runServer } from "../../examples/server/runServer.ts"
import { FailpointOrder } from "./failpointOrder.ts"

const [, , orders = "", reached = "", leaseMillis] = process.argv

const terms: LeaseTerms =
  leaseMillis === undefined
    ? defaultLeaseTerms
    : { ttl: Duration.millis(Number(leaseMillis)), renewEvery: Duration.millis(Number(leaseMillis) / 4) }
const decode = Schema.decodeUnknownSync(Schema.fromJsonString(FailpointOrder))

let order: FailpointOrder | undefined
let counts = new Map<string, number>()

process.on("SIGUSR2", () => {
  counts = new Map()
  order = decode(readFileSync(orders, "utf8"))
  appendFileSync(reached, "obeying\n")
})

const signalled = (signal: NodeJS.Signals) => Effect.sync(() => process.kill(process.pid, signal))

const reactions: Readonly<Record<FailpointOrder["fault"], Reaction>> = {
  none: (call) => call,
  "is killed before": endsBefore(signalled("SIGKILL")),
  "is killed after": endsAfter(signalled("SIGKILL")),
  "is stopped before": (call) => Effect.andThen(signalled("SIGTERM"), call),
  "is frozen before": (call) => Effect.andThen(signalled("SIGSTOP"), call),
  "is frozen after": (call) => Effect.tap(call, () => signalled("SIGSTOP"))
}

const react: FailpointReaction = (point, effect, refuse) =>
  Effect.suspend(() => {
    if (order === undefined) return effect
    const nth = (counts.get(point) ?? 0) + 1
    counts.set(point, nth)
    appendFileSync(reached, `${point}#${nth}\n`)
    return order.point === `${point}#${nth}` ? reactions[order.fault](effect, refuse) : effect
  })

runServer(Effect.provideService(mainUnder(terms), Failpoints, react))
