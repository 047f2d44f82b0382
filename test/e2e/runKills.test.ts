// A real server is killed, or told to stop, exactly at a failpoint that a Run reaches: in the stores before or after a
// transaction, in the calls to the engine, around files and processes. Another server removes the Run, or its next start.

import { assert, layer, vi } from "@effect/vitest"
import type { Client } from "@lockkeeper/adapter-http/Client"
import type { Run } from "@lockkeeper/core/domain/Run"
import { Context, type Duration, Effect, Layer, type Scope } from "effect"
import { isDeepStrictEqual } from "node:util"
import { eventually } from "../harness/eventually.ts"
import type { FailpointOrder } from "../harness/failpointOrder.ts"
import { type Commanded, startCommandedAt } from "../harness/failpoints.ts"
import { byFlavour, flavour } from "../harness/flavour.ts"
import { atRest, type Footprint } from "../harness/footprint.ts"
import { isTruthful, measured, measuring, sleeping } from "../harness/measuredRun.ts"
import { shuffled, soak, tryUntil } from "../harness/sample.ts"
import { makePlace, type Place } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, footprint, type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 })

/** Short, so that another server takes over soon. */
const leaseMillis = 2_000

/** Servers at one place that are cut off while they make the same Run, and another one that lives on at another place. */
class Pair extends Context.Service<
  Pair,
  {
    readonly points: ReadonlyArray<string>
    readonly startNext: Effect.Effect<Commanded, never, Scope.Scope>
    readonly begun: (client: Client) => Effect.Effect<Run, unknown>
    readonly another: Running
  }
>()("test/e2e/runKills/Pair") {
  static readonly layer = Layer.effect(
    Pair,
    Effect.gen(function* () {
      const { archives, database, place } = yield* World
      const { LOCKKEEPER_SECRET_KEY_FILE = "" } = place.env
      const another = yield* start(yield* makePlace(database, { LOCKKEEPER_SECRET_KEY_FILE }))
      const startNext = startCommandedAt(place, leaseMillis)
      const topology = measuring(yield* archives.source(goodApp("measured")))
      const begun = (client: Client) =>
        Effect.map(client.runs.begin({ payload: { ...measured, ...topology } }), ({ body }) => body)

      const points = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* startNext
          const once = Effect.gen(function* () {
            const { id } = yield* begun(server.client)
            assert.strictEqual((yield* over(server.client, id)).status, "succeeded")
            return new Set(server.reached())
          })
          yield* once
          yield* server.obey({ point: "", fault: "none" })
          yield* Effect.sleep("2 seconds")
          const idle = new Set(server.reached().map(nameOf))
          const reached: Array<ReadonlySet<string>> = []
          for (const _ of [1, 2]) {
            yield* server.obey({ point: "", fault: "none" })
            reached.push(yield* once)
          }
          const [first = new Set<string>(), second = new Set<string>()] = reached
          return [...first].filter((point) => second.has(point) && !idle.has(nameOf(point)))
        })
      )
      return { points, startNext, begun, another }
    })
  ).pipe(Layer.provideMerge(World.layer()))
}

const nameOf = (point: string): string => point.replace(/#\d+$/, "")

const over = (client: Client, run: string) =>
  eventually(`${run} ends`, client.runs.get({ params: { run } }), ({ finishedAt }) => finishedAt !== null)

/** Whether nothing is left but what is in the directories of a server that is gone: its next start sweeps them. */
const isRemoved = (seen: Footprint): boolean => {
  const { fetches, homes, partialBuilds, temporary } = seen
  const inDirectories = byFlavour({
    docker: { fetches, temporary },
    process: { fetches, temporary, homes, runs: seen.runs }
  })
  return isDeepStrictEqual({ ...seen }, { ...atRest(0), ...inDirectories, partialBuilds })
}

/** A block of a Run that was never on record lapses: here at once, in place of ten minutes. */
const lapse = Effect.gen(function* () {
  const { sql } = yield* World
  yield* sql`update subnets s set lease_until = clock_timestamp()
    where s.owner like 'run_%' and not exists (select from runs r where r.id = s.owner)`
})

/**
 * Makes a Run on a server that ends at a point, has another one remove it, or the next start of the same one, and dies when
 * what must hold then does not. Answers whether the point was reached, and the server that runs now.
 */
const endedAt = Effect.fnUntraced(function* (server: Commanded, point: string, fault: FailpointOrder["fault"], by: By) {
  const { another, begun, startNext } = yield* Pair
  const newest = Effect.map(
    another.client.runs.list({ query: { tenant: measured.tenant, limit: 1 } }),
    ({ items }) => items[0]
  )
  const before = yield* newest
  yield* server.obey({ point, fault })
  const undisturbed = Effect.gen(function* () {
    const { id } = yield* begun(server.client)
    yield* over(server.client, id)
    yield* Effect.sleep("1 second")
  })
  yield* Effect.raceFirst(server.exited, Effect.andThen(Effect.ignoreCause(undisturbed), Effect.sleep("1 second")))
  const wasHit = server.reached().includes(point)
  yield* server.signal("SIGKILL")
  yield* server.exited

  yield* lapse
  if (by === "another server") yield* eventually(`${point}: ${by} removes it`, footprint(), isRemoved)
  const next = yield* startNext
  yield* comesToRest
  const run = yield* newest
  if (run !== undefined && run.id !== before?.id) {
    yield* isTruthful(run)
    if (run.error !== null) assert.strictEqual(run.error.code, "server_lost", JSON.stringify(run))
  }
  return { wasHit, next }
})

type By = "another server" | "its next start"

layer(Pair.layer, { excludeTestServices: true, timeout: 120_000 })(
  "INV-7 INV-13 INV-15 H29 H31 H37 H45 a run",
  (it) => {
    it.effect.each([
      ["is killed before", "another server"],
      ["is killed after", "its next start"],
      ["is stopped before", "another server"]
    ] as const)("whose server %s any one point of it is removed by %s", ([fault, by]) =>
      Effect.gen(function* () {
        const { begun, points, startNext } = yield* Pair
        assert.isAbove(points.length, 20, points.join())
        const wanted = soak.many(1, byFlavour({ docker: 20, process: 40 }))
        let server = yield* startNext
        // The first one is as the name says; a soak has both by turns.
        const { attempts, hits } = yield* tryUntil(wanted, shuffled(points).slice(0, wanted * 5), (point, before) =>
          Effect.map(endedAt(server, point, fault, before % 2 === 0 ? by : turned(by)), ({ next, wasHit }) => {
            server = next
            return wasHit
          })
        )
        soak.count(`server ends at a failpoint of a run, ${flavour}`, { attempts, "point reached": hits })
        assert.isAbove(hits, 0)
        yield* server.obey({ point: "", fault: "none" })
        const following = yield* begun(server.client)
        assert.strictEqual((yield* over(server.client, following.id)).status, "succeeded")
        yield* comesToRest
        yield* server.signal("SIGKILL")
        yield* server.exited
      })
    )
  }
)

const turned = (by: By): By => (by === "another server" ? "its next start" : "another server")

/** A server is killed while it takes a step of a Run, and the one that removes it then at a point; the first starts again. */
const removedBy = Effect.fnUntraced(function* (
  elsewhere: Place,
  order: FailpointOrder,
  idling: Duration.Input
): Effect.fn.Return<
  { readonly reached: ReadonlyArray<string>; readonly idle: ReadonlySet<string> },
  unknown,
  World | Scope.Scope
> {
  const { archives, place } = yield* World
  const first = yield* startCommandedAt(place, leaseMillis)
  const second = yield* startCommandedAt(elsewhere, leaseMillis)
  const topology = sleeping(yield* archives.source(goodApp("measured")))
  const { body } = yield* first.client.runs.begin({ payload: { ...measured, ...topology } })
  const look = first.client.runs.get({ params: { run: body.id } })
  yield* eventually(`${body.id} runs`, look, ({ status }) => status === "running")
  yield* second.obey(order)
  yield* Effect.sleep(idling)
  const idle = new Set(second.reached().map(nameOf))
  yield* first.signal("SIGKILL")
  yield* Effect.raceFirst(second.exited, Effect.ignoreCause(over(second.client, body.id)))
  const reached = second.reached()
  yield* second.signal("SIGKILL")
  yield* second.exited

  const next = yield* startCommandedAt(place, leaseMillis)
  yield* comesToRest
  const run = yield* next.client.runs.get({ params: { run: body.id } })
  yield* isTruthful(run)
  assert.strictEqual(run.error?.code, "server_lost")
  yield* next.signal("SIGKILL")
  yield* next.exited
  return { reached, idle }
})

layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })("INV-7 INV-13 INV-15 H31 H37 H38 a run", (it) => {
  it.effect("whose server is killed is removed although who removes it is killed at any one point", () =>
    Effect.gen(function* () {
      const { database, place } = yield* World
      const { LOCKKEEPER_SECRET_KEY_FILE = "" } = place.env
      const elsewhere = yield* makePlace(database, { LOCKKEEPER_SECRET_KEY_FILE })
      const played = (order: FailpointOrder, idling: Duration.Input) =>
        Effect.scoped(removedBy(elsewhere, order, idling))
      const { idle, reached } = yield* played({ point: "", fault: "none" }, "2 seconds")
      const points = [...new Set(reached)].filter((point) => !idle.has(nameOf(point)))
      assert.isAbove(points.length, byFlavour({ docker: 10, process: 5 }), points.join())
      const wanted = soak.many(1, byFlavour({ docker: 10, process: 20 }))
      const { attempts, hits } = yield* tryUntil(wanted, shuffled(points).slice(0, wanted * 5), (point, before) =>
        Effect.map(
          played({ point, fault: before % 2 === 0 ? "is killed before" : "is killed after" }, 0),
          ({ reached }) => reached.includes(point)
        )
      )
      soak.count(`who removes a run ends at a failpoint, ${flavour}`, { attempts, "point reached": hits })
      assert.isAbove(hits, 0)
    })
  )
})
