// Runs two operations of the stores against each other, each in a session of its own, and what such operations share.
// With SOAK=1 every order of their statements is tried, otherwise a sample where there are many.

import { assert } from "@effect/vitest"
import type { App, AppStatus } from "@lockkeeper/core/domain/App"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { Rewrite } from "../../../../test/harness/gatedSession.ts"
import { explorer, type Meeting, report } from "../../../../test/harness/interleavings.ts"
import { soak } from "../../../../test/harness/sample.ts"
import { layerStores, type Stores, type StoresOptions } from "../../src/layer.ts"
import { cipher, putStatus } from "./stores.ts"

/** What operations may use: the stores and the client of their session. */
export type Ports = Stores | SqlClient.SqlClient

const services = (options: Partial<StoresOptions>) =>
  Layer.merge(
    layerStores({ migrate: "elsewhere", ...options }).pipe(Layer.provide(cipher)),
    Layer.effect(SqlClient.SqlClient, SqlClient.SqlClient)
  )

const isWhole = process.env["SOAK"] === "1"

/** Explores what comes of two operations; `rewrite` plants a defect in what they send. */
export const met = Effect.fnUntraced(function* <G>(
  meeting: Meeting<G, Ports>,
  options: Partial<StoresOptions> = {},
  rewrite?: Rewrite
) {
  const { explore } = yield* explorer(services(options), rewrite)
  return yield* explore(meeting, isWhole ? {} : { limit: 20 })
})

/** Fails unless every order comes to what is expected, and what is tolerated does happen. */
export const meets = Effect.fnUntraced(function* <G>(meeting: Meeting<G, Ports>, options: Partial<StoresOptions> = {}) {
  const found = yield* met(meeting, options)
  if (isWhole || !found.isComplete) console.info(report(found), Object.fromEntries(found.explained))
  if (found.offending.length > 0) assert.fail(report(found))
  soak.count("orders of statements", { meetings: 1, orders: found.tried })
  assert.isAbove(found.tried, 0)
  const unseen = (meeting.tolerated ?? []).filter(({ because }) => !found.explained.has(because))
  if (found.isComplete) assert.deepStrictEqual(unseen, [], "what is tolerated never happens")
})

/** Uses the DeploymentStore. */
export const deployments = <A, E, R>(use: (store: DeploymentStore["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(DeploymentStore, use)

/** Uses the client of the session. */
export const withSql = <A, E, R>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, use)

/** Begins a Deployment. */
export const begin = (app: App, request: Parameters<typeof Given.asked>[1] = {}) =>
  Effect.map(
    deployments((store) => store.begin(Given.asked(app, request))),
    ({ created, deployment }) => ({ created, deployment: deployment.id })
  )

const shown = ({ app, deployment, fence }: Claim) => ({
  deployment: deployment.id,
  status: deployment.status,
  fence,
  app: app.status
})

/** Admits whatever is the first. */
export const admit = Effect.flatMap(Given.freshReplica, (replica) =>
  Effect.map(
    deployments((store) => store.admit({ replica, terms: Given.longTerms })),
    (claim) => (claim === undefined ? "nothing" : shown(claim))
  )
)

/** Takes over the Deployment of a Claim for a new replica. */
export const takeOver = ({ deployment }: Claim) =>
  Effect.flatMap(Given.freshReplica, (replica) =>
    Effect.map(
      deployments((store) => store.claimAbandoned({ replica, terms: Given.longTerms, deployment: deployment.id }, 10)),
      (claims) => claims.map(shown)
    )
  )

/** Two Apps of a new Tenant with this many Slots, a Deployment of each queued; nobody else has anything to admit. */
export const queued = Effect.fnUntraced(function* (cap: number) {
  yield* withSql((sql) => sql`update tenants set job_cap = 0`)
  const [app, other] = yield* Given.registeredTogether(2)
  if (app === undefined || other === undefined) return yield* Effect.die("two Apps")
  yield* withSql((sql) => sql`update tenants set job_cap = ${cap} where name = ${app.tenant}`)
  const head = yield* Given.begun(app)
  yield* Given.begun(other)
  return { app, head }
})

/** A Claim whose lease is over. */
export const abandoned = Effect.fnUntraced(function* (claim: Claim) {
  yield* deployments((store) => store.abandon(claim.replica))
  return claim
})

/** A Claim of a Deployment that is `building`. */
export const building = Effect.flatMap(Given.registered(), (app) => Given.claimed(app))

/** A Claim of a Deployment that is `deploying`. */
export const deploying = Effect.flatMap(Given.registered(), (app) => Given.deploying(app))

/** A Claim of a Deployment that was activated. */
export const activated = Effect.tap(deploying, (claim) => deployments((store) => store.activate(claim)))

/** Ends a Deployment. */
export const finish = (claim: Claim, status: "healthy" | "cancelled") =>
  Effect.map(
    deployments((store) => store.finish(claim, { status })),
    (deployment) => deployment.status
  )

/** Ends an App, and answers what whoever ends it sees of its Deployments afterwards and has to clear away. */
export const endApp = ({ id }: App, status: AppStatus) =>
  Effect.andThen(
    putStatus(id, status),
    withSql(
      (sql) => sql`select id, status, activated_at is not null as activated, release is not null as released
        from deployments where app = ${id} order by position`
    )
  )
