// Races of the life of Deployments, each many times on two pools at once: whoever wins, there is one winner, and who lost
// is told. Twenty of each here, a thousand in a soak.

import { assert, layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import { isTerminal } from "@lockkeeper/core/domain/Deployment"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import type { Claim } from "@lockkeeper/core/port/Claim"
import type { DeploymentRequest } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { present } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { DateTime, Effect, Random, Result } from "effect"
import { SqlClient } from "effect/sql"
import { soak } from "../../../test/harness/sample.ts"
import { answers, replicas, stores } from "./support/stores.ts"

type Stores = Effect.Success<ReturnType<typeof replicas>>[number]

const limit = 600_000

/**
 * Runs a race again and again, each time with the two pools in another order, counts what each came to, and answers that. A
 * race that was not run is no proof.
 */
const races = Effect.fnUntraced(function* <E, R>(
  proof: string,
  rounds: number,
  race: (one: Stores, other: Stores, round: number) => Effect.Effect<string, E, R>
) {
  const [one, other] = yield* replicas()
  const counts: Record<string, number> = {}
  for (const round of Array.from({ length: rounds }).keys()) {
    const outcome = yield* round % 2 === 0 ? race(one, other, round) : race(other, one, round)
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  soak.count(proof, { rounds, ...counts })
  assert.isAbove(rounds, 0)
  return counts
})

const within =
  (services: Stores) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.provideContext(self, services)

/** Does both at once, and answers what each came to. */
const both = <A, E, R, A2, E2, R2>(one: Effect.Effect<A, E, R>, other: Effect.Effect<A2, E2, R2>) =>
  Effect.all([Effect.result(one), Effect.result(other)], { concurrency: 2 })

const statusOf = (claim: Claim) =>
  Effect.flatMap(DeploymentStore, (store) => Effect.map(store.get(claim.deployment.id), ({ status }): string => status))

/** From an image that was built to success. */
const succeeded = Effect.fnUntraced(function* (claim: Claim) {
  const store = yield* DeploymentStore
  yield* store.activate(claim)
  return yield* store.finish(claim, { status: "healthy" })
})

/** From a Claim to success, or to the end that is due when that is not to be. */
const carriedOut = Effect.fnUntraced(function* (claim: Claim) {
  const store = yield* DeploymentStore
  const work = Effect.andThen(store.built(claim, yield* Given.freshImage, null), succeeded(claim))
  const failed = store.finish(claim, { status: "failed", error: { code: "app_gone", detail: "the App is gone" } })
  return yield* Effect.catchTags(work, { StopRequested: () => failed, AppGone: () => failed })
})

/** Takes what waits of a Tenant, one after the other, and carries it out, until nothing does. */
const worked = Effect.fnUntraced(function* (apps: ReadonlyArray<App>) {
  const store = yield* DeploymentStore
  const ask = { replica: yield* Given.freshReplica, terms: Given.longTerms }
  const isLeft = Effect.map(
    Effect.forEach(apps, ({ id }) => store.list(id, { limit: 100 })),
    (pages) => pages.some(({ items }) => items.some(({ status }) => !isTerminal(status)))
  )
  while (yield* isLeft) {
    const claim = yield* store.admit(ask)
    if (claim !== undefined) yield* carriedOut(claim)
  }
})

/**
 * How many of some Apps' Deployments were in progress at the same time, at most, as the Events tell. An Event has its id when
 * it is written: whoever began after an end was committed has the later one, though its transaction may be the older.
 */
const mostAtOnce = Effect.fnUntraced(function* (apps: ReadonlyArray<App>) {
  const sql = yield* SqlClient.SqlClient
  const events = yield* sql<{ readonly type: string; readonly subject: string }>`select type, subject from events
    where app = any(${apps.map(({ id }) => id)}::text[]) and type like 'deployment.%' order by id`
  const running = new Set<string>()
  return events.reduce((most, { subject, type }) => {
    if (type === "deployment.building") running.add(subject)
    else if (type !== "deployment.queued" && type !== "deployment.deploying") running.delete(subject)
    return Math.max(most, running.size)
  }, 0)
})

layer(stores(), { excludeTestServices: true })("on two replicas at once", (it) => {
  it.effect(
    "INV-4: of a cancel and a success one wins, and whoever cancels is told which",
    () =>
      races("INV-4: a cancel and a success", soak.rounds(20), (one, other) =>
        Effect.gen(function* () {
          const claim = yield* Given.deploying(yield* Given.registered())
          const cancel = Effect.flatMap(DeploymentStore, (store) => store.requestCancel(claim.deployment.id))
          const [success, told] = yield* both(within(one)(succeeded(claim)), within(other)(cancel))
          const answer = Result.getOrThrow(told)
          if (Result.isSuccess(success)) {
            assert.deepStrictEqual([answer.status, answer.cancelling], ["healthy", false])
          } else {
            assert.strictEqual(success.failure._tag, "StopRequested")
            assert.deepStrictEqual([answer.status, answer.cancelling], ["deploying", true])
            const ended = yield* (yield* DeploymentStore).finish(claim, { status: "cancelled" })
            assert.strictEqual(ended.status, "cancelled")
          }
          const status = yield* statusOf(claim)
          assert.strictEqual(status, Result.isSuccess(success) ? "healthy" : "cancelled")
          return status
        })
      ).pipe(
        Effect.tap((counts) =>
          Effect.sync(() => {
            // Nothing is shown by a race that the same one always wins.
            if (soak.rounds(0) > 0) assert.sameMembers(Object.keys(counts), ["healthy", "cancelled"])
          })
        )
      ),
    limit
  )

  it.effect(
    "R9: a build that ends while its App expires serves nothing, and its row stays as the end of the App left it",
    () =>
      races("R1 R9: a build and an expiry", soak.rounds(20), (one, other) =>
        Effect.gen(function* () {
          const claim = yield* Given.claimed(yield* Given.registered({ expiresAt: DateTime.makeUnsafe(0) }))
          const expire = Effect.flatMap(AppStore, (apps) => apps.claimExpired(1_000))
          const [ended] = yield* both(within(one)(carriedOut(claim)), within(other)(expire))
          yield* expire
          const app = yield* (yield* AppStore).get(claim.app.id)
          assert.strictEqual(app.status, "expired")
          assert.isNull(app.activeDeployment)
          const { status } = Result.getOrThrow(ended)
          assert.include(["healthy", "cancelled"], status)
          assert.deepStrictEqual(
            (yield* (yield* DeploymentStore).serving).filter((serving) => serving.app.id === app.id),
            []
          )
          return status
        })
      ),
    limit
  )

  it.effect(
    "INV-6: an App that is deleted while it is deployed is gone, and nothing of it is in progress or serves",
    () =>
      races("INV-6: a deploy and a deletion", soak.rounds(20), (one, other, round) =>
        Effect.gen(function* () {
          const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
          const app = yield* Given.registered()
          if (round % 3 === 0) yield* Given.deployed(app)
          const deploy = Effect.gen(function* () {
            const claim = yield* Given.claimed(app)
            return yield* carriedOut(claim)
          })
          yield* both(
            within(one)(deploy),
            within(other)(Effect.flatMap(AppStore, (apps) => apps.mark(app.id, "deleting")))
          )
          const ending = (yield* apps.ending(100_000)).find((candidate) => candidate.app.id === app.id)
          const settled = yield* apps.settle(yield* present("the App that is deleted", ending))
          assert.isTrue(settled)
          assert.strictEqual((yield* Effect.flip(apps.get(app.id)))._tag, "AppGone")
          assert.strictEqual((yield* Effect.flip(deployments.begin(Given.asked(app))))._tag, "DeploymentRefused")
          const { items } = yield* deployments.list(app.id, { limit: 10 })
          assert.isTrue(items.every(({ status }) => isTerminal(status)))
          return items[0]?.status ?? "refused"
        })
      ),
    limit
  )

  it.effect(
    "INV-2: of Deployments that begin at once one waits at most and one is in progress, whatever their Policies",
    () =>
      races("U5 INV-2: five begin at once", soak.rounds(20), (one, other) =>
        Effect.gen(function* () {
          const app = yield* Given.registered()
          yield* Given.claimed(app)
          const policies = yield* Random.shuffle(["reject", "queue", "supersede", "queue", "supersede"] as const)
          const results = yield* Effect.forEach(
            policies,
            (policy, index) => Effect.result(within(index % 2 === 0 ? one : other)(Given.begun(app, { policy }))),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(answers(results).length, 4)
          const { items } = yield* (yield* DeploymentStore).list(app.id, { limit: 10 })
          const statuses = items.map(({ status }): string => status)
          assert.deepStrictEqual(statuses, ["queued", "superseded", "superseded", "superseded", "building"])
          return "one waits"
        })
      ),
    limit
  )

  it.effect(
    "R6 INV-3: under a cap of one, redeploys and deploys of two Apps are never in progress at the same time",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const apps = yield* Given.registeredTogether(2)
        const [b, c] = [apps[0], apps[1]]
        if (b === undefined || c === undefined) return assert.fail("two Apps")
        yield* sql`update tenants set job_cap = 1 where name = ${b.tenant}`
        yield* Given.deployed(b)
        const again: Partial<DeploymentRequest> = { policy: "queue", trigger: { kind: "redeploy" }, release: "current" }
        yield* races("R6 INV-3: forty of two Apps under a cap of one", soak.rounds(20) / 20, (one, other) =>
          Effect.gen(function* () {
            const asks = Array.from({ length: 40 }, (_, index) =>
              within(index % 2 === 0 ? one : other)(
                index % 4 < 2 ? Given.begun(b, again) : Given.begun(c, { policy: "queue" })
              )
            )
            const begin = Effect.all(asks, { concurrency: "unbounded" })
            const work = Effect.all([within(one)(worked(apps)), within(other)(worked(apps))], { concurrency: 2 })
            yield* Effect.all([begin, work], { concurrency: 2 })
            yield* work
            return "carried out"
          })
        )
        assert.strictEqual(yield* mostAtOnce(apps), 1)
      }),
    limit
  )
})
