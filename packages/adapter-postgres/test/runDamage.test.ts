// A Run of which something cannot be read is removed all the same, and its Slot comes back: none of what is recorded of it is
// needed for that.

import { assert, layer } from "@effect/vitest"
import { RunFailureCode, type RunId } from "@lockkeeper/core/domain/Run"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import * as Runs from "@lockkeeper/core/testing/RunFixture"
import { Effect, Logger, Redacted } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { stores } from "./support/stores.ts"

const { names } = Runs

/** What a row may have become: a byte of it is another one, or a newer server wrote what this one does not know. */
const damages: Readonly<Record<string, (sql: SqlClient.SqlClient) => Statement.Fragment>> = {
  secrets: (sql) => sql`secrets = set_byte(secrets, length(secrets) - 1, get_byte(secrets, length(secrets) - 1) # 1)`,
  credentials: (sql) => sql`credentials = substring(credentials from 1 for 20)`,
  plan: (sql) => sql`plan = '{"nodes": "some"}'`,
  nodes: (sql) => sql`nodes = '{"web": {"name": "web", "status": "dreaming"}, "db": null}'`,
  steps: (sql) => sql`steps = '{"load": {"name": "load"}}'`,
  topology: (sql) => sql`topology = '{"nodes": [{"name": "A"}, 3], "steps": "none"}', secrets = '\\x00'`,
  block: (sql) => sql`subnet_owner = 'of nobody'`,
  error: (sql) => sql`outcome = 'failed', error_code = 'bad_luck', error_detail = 'it was', error_node = 'web'`
}

/** A Run of which all is recorded that may be, damaged. */
const damaged = Effect.fnUntraced(function* (damage: (sql: SqlClient.SqlClient) => Statement.Fragment) {
  const [runs, sql] = [yield* RunStore, yield* SqlClient.SqlClient]
  const id = yield* Runs.freshRun
  const claim = yield* Runs.begun({ id, network: Runs.networkOf(id) })
  yield* runs.record(claim, {
    credentials: new Map([[names.db, Redacted.make("canary")]]),
    nodes: [Runs.ready(names.web)],
    steps: [Runs.step(names.load)]
  })
  yield* sql`update runs set ${damage(sql)} where id = ${id}`
  return claim
})

/** Counts the errors that are logged of a Run. */
const told = (id: RunId, log: Array<string>) => log.filter((line) => line.includes(id)).length

layer(stores(), { excludeTestServices: true })("H38: a damaged Run", (it) => {
  for (const [part, damage] of Object.entries(damages)) {
    it.effect(`is taken, torn down and ended whatever became of its ${part}`, () => {
      const log: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
        if (logLevel === "Error") log.push(String(message))
      })
      return Effect.gen(function* () {
        const runs = yield* RunStore
        const begun = yield* damaged(damage)
        const { id } = begun.run
        const other = yield* Runs.begun()
        const claim = yield* Runs.taken(begun)
        if (claim === undefined) return assert.fail("nothing was taken")
        assert.strictEqual(told(id, log), part === "topology" ? 2 : 1)
        const network = part === "block" ? null : Runs.claimedNetwork(id)
        assert.deepStrictEqual(claim.network, network)
        assert.deepStrictEqual(
          claim.topology.nodes.map(({ name }) => name),
          part === "topology" ? [] : [names.web, names.db]
        )
        assert.strictEqual(claim.credentials.size, part === "credentials" ? 0 : 1)
        assert.strictEqual(claim.run.nodes.length, ["nodes", "topology"].includes(part) ? 0 : 2)
        assert.strictEqual((yield* runs.requestCancel(id)).cancelling, true)
        assert.strictEqual(yield* runs.stopRequested(id), true)
        assert.strictEqual((yield* runs.settle(claim, Runs.passed)).id, id)
        yield* runs.tearDown(claim)
        const ended = yield* runs.finish(claim, "pending")
        assert.strictEqual(ended.status, part === "error" ? "failed" : "cancelled")
        const left = (yield* runs.uncleaned(10_000)).filter(({ run }) => run === id)
        assert.deepStrictEqual(
          left.map((each) => each.network),
          [network]
        )
        const { items } = yield* runs.list({}, { limit: 100 })
        assert.includeMembers(
          items.map((run) => run.id),
          [id, other.run.id]
        )
        yield* runs.cleaned(id)
        assert.deepStrictEqual((yield* Runs.taken(claim))?.run.id, id)
        yield* Runs.ended(other)
        assert.strictEqual(told(other.run.id, log), 0)
      }).pipe(Effect.provide(Logger.layer([logger])))
    })
  }

  it.effect("E10: says so when it is asked for alone, and is not made again as if it were whole", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      assert.notInclude(RunFailureCode.literals, "bad_luck")
      for (const part of ["nodes", "steps", "error"]) {
        const damage = damages[part]
        if (damage === undefined) return assert.fail(part)
        const { run } = yield* damaged(damage)
        const error = yield* Effect.flip(runs.get(run.id))
        assert.deepInclude(error, { _tag: "StoreError", reason: "corrupt" })
      }
    })
  )
})
