// The connection is lost while something is being committed. The caller is told that the database is away and not whether it
// was done; a second call settles it, so that nothing is done twice and nothing is lost. A change of an Env settles itself.

import { assert, layer } from "@effect/vitest"
import { Effect, Latch, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TestDatabase } from "../../../test/harness/database.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { outcomeText } from "../../../test/harness/outcome.ts"
import { type CommitFault, type PostgresProxy, postgresProxy } from "../../../test/harness/postgresProxy.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import { idempotencyMutations } from "./support/idempotencyMutations.ts"
import { type EveryMutation, type Mutation, mutations } from "./support/mutations.ts"
import { subnetMutations } from "./support/subnetMutations.ts"
import { reasonOf } from "./support/reasonOf.ts"
import { cipher, stores } from "./support/stores.ts"

const poolSize = 2

/** The stores and their client, with a pool of their own behind the proxy. */
const through = ({ url }: PostgresProxy) =>
  Layer.build(
    layerStores({ migrate: "elsewhere" }).pipe(
      Layer.provide(cipher),
      Layer.provideMerge(layerClient({ url, maxConnections: poolSize })),
      Layer.fresh
    )
  )

/** Fails unless as many transactions run at once as the pool has connections. */
const poolIsWhole = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const all = yield* Latch.make()
  const pids = new Set<number>()
  const session = sql.withTransaction(
    Effect.gen(function* () {
      const [row] = yield* sql<{ readonly pid: number }>`select pg_backend_pid() as pid`
      pids.add(row?.pid ?? 0)
      if (pids.size === poolSize) yield* all.open
      yield* all.await
    })
  )
  yield* Effect.timeout(Effect.all([session, session], { concurrency: poolSize }), "5 seconds")
})

/** Sessions that hold a transaction open which nobody will end. */
const leftOpen = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`select pid from pg_stat_activity
    where datname = current_database() and state like 'idle in transaction%'`
)

const answered = <A, E extends { readonly _tag: string }, R>(self: Effect.Effect<A, E, R>) =>
  Effect.match(self, { onSuccess: (answer): unknown => answer, onFailure: ({ _tag }) => _tag })

const survives = Effect.fnUntraced(function* <G>(mutation: Mutation<G>, fault: CommitFault) {
  const { again, call, given, rows, settles } = mutation
  const text = (fixture: G) => Effect.map(rows(fixture), outcomeText)
  const reference = yield* given
  const answer = yield* answered(call(reference))
  const once = yield* text(reference)

  const proxy = yield* postgresProxy((yield* TestDatabase).url)
  const faulty = yield* through(proxy)
  const fixture = yield* given
  const before = yield* text(fixture)
  yield* proxy.cutAtCommit(fault)
  const isUndone = fault === "unsent" && settles === undefined
  const first = settles === undefined ? reasonOf(call(fixture)) : answered(call(fixture))
  const heard = yield* Effect.provideContext(first, faulty)
  assert.deepStrictEqual([heard, proxy.cuts()], [settles === undefined ? "unavailable" : answer, 1])
  yield* Effect.provideContext(poolIsWhole, faulty)
  yield* eventually("no transaction stays open", leftOpen, (sessions) => sessions.length === 0)
  assert.strictEqual(yield* text(fixture), isUndone ? before : once)

  const second = yield* Effect.provideContext(answered(call(fixture)), faulty)
  assert.deepStrictEqual(second, isUndone ? answer : again)
  assert.strictEqual(yield* text(fixture), once)
})

const all: ReadonlyArray<EveryMutation> = [mutations, idempotencyMutations, subnetMutations]

layer(stores(), { excludeTestServices: true })("a connection that is lost", (it) => {
  const survivesBoth = <G>(mutation: Mutation<G>) => {
    const [undone, done] =
      mutation.settles === undefined
        ? ["did nothing, and is done when it is called again", "was done, and a second call settles it"]
        : ["finds that it did nothing, and does it", "finds that it was done"]

    it.effect(`E9 before the server hears of the commit: ${mutation.method} ${undone}`, () =>
      survives(mutation, "unsent")
    )

    it.effect(`E9 before the client hears that it was committed: ${mutation.method} ${done}`, () =>
      survives(mutation, "unanswered")
    )
  }
  for (const { each } of all) each(survivesBoth)
})
