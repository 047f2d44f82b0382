// What holds when many connections of two replicas meet on one database: nothing is given twice, nothing is lost, caps
// and numbers are exact. Time is real.

import { assert, layer } from "@effect/vitest"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { IpAddress } from "@lockkeeper/core/domain/Workload"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { Leases } from "@lockkeeper/core/port/Leases"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { RouteVersion } from "@lockkeeper/core/domain/Route"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { answers, cancelledTogether, raced, refusals, stores } from "./support/stores.ts"

const countFrom = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index)

layer(stores(), { excludeTestServices: true })("two replicas", (it) => {
  for (const count of [16, 200]) {
    it.effect(`E1 INV-5: ${count} changes of one Env at once are all there, each a revision without a gap`, () =>
      Effect.gen(function* () {
        const app = yield* Given.registered()
        const results = yield* raced(count, (index) => Given.revised(app, { [`KEY_${index}`]: String(index) }))
        assert.deepStrictEqual(refusals(results), [])
        const revisions = answers(results).map(({ revision }): number => revision)
        assert.deepStrictEqual(
          [...revisions].sort((a, b) => a - b),
          countFrom(1, count)
        )
        const { env } = yield* (yield* EnvStore).read(app.id)
        assert.strictEqual(env.size, count)
      })
    )
  }

  it.effect(
    "INV-13: of thirty who take an abandoned Deployment over at once one gets it, and its old holder writes nothing",
    () =>
      Effect.gen(function* () {
        const deployments = yield* DeploymentStore
        const claim = yield* Given.deploying(yield* Given.registered())
        yield* deployments.activate(claim)
        yield* deployments.abandon(claim.replica)
        const request = { terms: Given.longTerms, deployment: claim.deployment.id }
        const results = yield* raced(30, (index) =>
          Effect.gen(function* () {
            const store = yield* DeploymentStore
            if (index % 3 === 0) return (yield* Effect.result(store.renew(claim, Given.longTerms)))._tag
            return yield* store.claimAbandoned({ ...request, replica: yield* Given.freshReplica }, 10)
          })
        )
        assert.deepStrictEqual(refusals(results), [])
        const taken = answers(results).flatMap((answer) => (typeof answer === "string" ? [] : answer))
        assert.strictEqual(taken.length, 1)
        assert.strictEqual(taken[0]?.fence, Fence.make(claim.fence + 1))
        assert.notInclude(answers(results), "Success")
        const lost = yield* Effect.flip(deployments.finish(claim, { status: "healthy" }))
        assert.strictEqual(lost._tag, "LeaseLost")
        const sql = yield* SqlClient.SqlClient
        const slots = yield* sql`select fence::int from slots where deployment = ${claim.deployment.id}`
        assert.deepStrictEqual(slots, [{ fence: claim.fence + 1 }])

        const again = yield* Given.takenOver(taken[0] ?? claim)
        assert.strictEqual(again.fence, Fence.make(claim.fence + 2))
        yield* cancelledTogether([again])
        const next = yield* Given.claimed(claim.app)
        assert.strictEqual(next.fence, Fence.make(claim.fence + 3))
      })
  )

  it.effect("H22: of forty who ask for one lease at once one gets it", () =>
    Effect.gen(function* () {
      const name = yield* Given.freshLetters
      const results = yield* raced(40, () =>
        Effect.gen(function* () {
          return yield* (yield* Leases).acquire(name, yield* Given.freshReplica, Duration.minutes(1))
        })
      )
      assert.deepStrictEqual(
        answers(results).filter((fence) => fence !== undefined),
        [Fence.make(1)]
      )
    })
  )

  it.effect("lines that many append to one log at once are numbered without a gap, and each batch stays together", () =>
    Effect.gen(function* () {
      const log = LogName.make(`deployment/dep_${yield* Given.freshLetters}`)
      const results = yield* raced(40, (index) =>
        Effect.flatMap(LogStore, (logs) =>
          logs.append(
            log,
            countFrom(0, 25).map((nth) => ({ stream: "stdout", line: `${index} ${nth}` }))
          )
        )
      )
      assert.deepStrictEqual(refusals(results), [])
      const { lines } = yield* (yield* LogStore).read(log, 0, 2_000)
      assert.deepStrictEqual(
        lines.map(({ seq }) => seq),
        countFrom(1, 1_000)
      )
      for (let start = 0; start < 1_000; start += 25) {
        const [index] = (lines[start]?.line ?? "").split(" ")
        const batch = lines.slice(start, start + 25).map(({ line }) => line)
        assert.deepStrictEqual(
          batch,
          countFrom(0, 25).map((nth) => `${index} ${nth}`)
        )
      }
    })
  )

  it.effect("a reader who follows routes while forty decide at once sees every decision, in order", () =>
    Effect.gen(function* () {
      const apps = yield* Given.registeredTogether(40)
      const routes = yield* RouteStore
      const seen = new Map<string, number>()
      let version = RouteVersion.make(0)
      const follow = Effect.gen(function* () {
        for (const route of yield* routes.since(version)) {
          assert.isAbove(route.version, version)
          version = route.version
          seen.set(route.app, route.version)
        }
        return seen.size
      })
      const follower = yield* Effect.forkChild(Effect.repeat(follow, { until: (size) => size === apps.length }))
      const address = { host: IpAddress.make("127.0.0.1"), port: 4_000 }
      const results = yield* raced(40, (index) =>
        Effect.gen(function* () {
          const { hostPort, id: app } = apps[index] ?? (yield* Effect.die("an App for each"))
          return yield* (yield* RouteStore).put({ app, hostPort, fence: Fence.make(1), address })
        })
      )
      assert.deepStrictEqual(refusals(results), [])
      yield* Effect.timeout(Fiber.join(follower), "5 seconds")
      assert.deepStrictEqual(
        [...seen.values()].sort((a, b) => a - b),
        [...answers(results)].sort((a, b) => a - b)
      )
    })
  )
})

const few = { first: 30_001, last: 30_030 }

layer(stores({ ports: few }), { excludeTestServices: true })("host ports", (it) => {
  it.effect(
    "of forty registrations at once for thirty ports, thirty get a port of their own and ten are told the range",
    () =>
      Effect.gen(function* () {
        const results = yield* raced(40, () => Given.registered(), { ports: few })
        const ports = answers(results).map(({ hostPort }): number => hostPort)
        assert.deepStrictEqual(
          [...ports].sort((a, b) => a - b),
          countFrom(30_001, 30)
        )
        assert.deepStrictEqual(
          refusals(results),
          Array.from({ length: 10 }, () => "PortsExhausted")
        )
        const refusal = yield* Effect.flip(Given.registered())
        assert.deepInclude(refusal, { _tag: "PortsExhausted", first: 30_001, last: 30_030 })
      })
  )

  it.effect("the port of a deleted App is free again, and the smallest free one is given first", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`update apps set status = 'deleted' where host_port in (30004, 30002, 30009)`
      const ports = yield* Effect.forEach([1, 2, 3], () => Given.registered())
      assert.deepStrictEqual(
        ports.map(({ hostPort }): number => hostPort),
        [30_002, 30_004, 30_009]
      )
      const [gone] = yield* sql<{ id: string }>`select id from apps where status = 'deleted' limit 1`
      assert.isDefined(gone)
      assert.strictEqual((yield* (yield* AppStore).list(undefined, { limit: 100 })).items.length, 30)
    })
  )
})
