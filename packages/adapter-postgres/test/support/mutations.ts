// Every method of a store that changes something: what it is called with, what it changes, and what a second call answers
// when the first one was done and its caller does not know that.

import { HostPort } from "@lockkeeper/core/domain/App"
import { DeliveryId } from "@lockkeeper/core/domain/Deployment"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { Address, IpAddress, WorkloadId } from "@lockkeeper/core/domain/Workload"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Leases } from "@lockkeeper/core/port/Leases"
import { LogName, LogStore, LogWriterId } from "@lockkeeper/core/port/LogStore"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect } from "effect"
import { rowsOf } from "./meetingRows.ts"
import {
  abandoned,
  activated,
  begin,
  building,
  deploying,
  deployments,
  finish,
  type Ports,
  withSql
} from "./meetings.ts"

/** One method. `again` is the answer of the second call, which changes nothing more, or the tag of its error. */
export interface Mutation<G> {
  readonly method: string
  readonly given: Effect.Effect<G, unknown, Ports>
  readonly call: (given: G) => Effect.Effect<unknown, { readonly _tag: string }, Ports>
  readonly rows: (given: G) => Effect.Effect<unknown, unknown, Ports>
  readonly again: unknown
  /** Whether the call itself finds out what became of it. */
  readonly settles?: true
}

/** A use of each method, whatever its fixture is. */
export interface EveryMutation {
  readonly each: <A>(use: <G>(mutation: Mutation<G>) => A) => ReadonlyArray<A>
}

const requested = Effect.all({ tenant: Given.freshTenant, name: Given.freshAppName })

const queued = Effect.gen(function* () {
  const app = yield* Given.registered()
  const { id } = yield* Given.begun(app)
  return { app, id, request: { replica: yield* Given.freshReplica, terms: Given.longTerms, deployment: id } }
})

const lost = Effect.gen(function* () {
  const claim = yield* abandoned(yield* building)
  const { id } = claim.deployment
  return { ...claim, request: { replica: yield* Given.freshReplica, terms: Given.longTerms, deployment: id } }
})

const ofApp = ({ app }: Pick<Claim, "app">) => rowsOf(app)

const intended = Effect.gen(function* () {
  const { app, deployment, fence, replica } = yield* deploying
  const name = yield* Given.freshWorkloadName
  const address = Address.make({ host: IpAddress.make("127.0.0.1"), port: HostPort.make(31_000) })
  const workload = { id: WorkloadId.make("one"), name, address, image: yield* Given.freshImage }
  return { app, workload, intent: { name, app: app.id, work: deployment.id, fence, replica } }
})

const journal = <A, E, R>(use: (store: Journal["Service"]) => Effect.Effect<A, E, R>) => Effect.flatMap(Journal, use)
const leases = <A, E, R>(use: (store: Leases["Service"]) => Effect.Effect<A, E, R>) => Effect.flatMap(Leases, use)
const logs = <A, E, R>(use: (store: LogStore["Service"]) => Effect.Effect<A, E, R>) => Effect.flatMap(LogStore, use)
const routes = <A, E, R>(use: (store: RouteStore["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(RouteStore, use)

const leased = Effect.all({ name: Given.freshLetters, replica: Given.freshReplica })

const leaseRows = ({ name }: { readonly name: string }) =>
  withSql((sql) => sql`select replica, fence, until > now() as held from leases where name = ${name}`)

const writer = LogWriterId.make("0".repeat(20))

const logged = Effect.tap(
  Effect.map(Given.freshLetters, (letters) => LogName.make(`deployment/dep_${letters}`)),
  (log) => logs((store) => store.append(log, [{ stream: "stdout", line: "before" }], { writer, nth: 1 }))
)

const logRows = (log: LogName) =>
  Effect.all([
    withSql((sql) => sql`select lines, ended from logs where name = ${log}`),
    withSql(
      (sql) =>
        sql`select first, last, convert_from(packed, 'UTF8') as packed from log_chunks where log = ${log} order by first`
    )
  ])

const fence = Fence.make(3)
const routed = Effect.map(Given.registered(), ({ hostPort, id }) => ({ app: id, hostPort, fence, address: null }))

const routeRows = ({ app }: { readonly app: string }) =>
  withSql((sql) => sql`select fence, progress from routes where app = ${app}`)

const decided = Effect.flatMap(routed, (route) =>
  Effect.map(
    routes((store) => store.put(route)),
    (version) => ({ ...route, version })
  )
)

const forgotten = Effect.tap(intended, ({ intent }) => journal((store) => store.released(intent.name)))

const held = Effect.tap(leased, ({ name, replica }) =>
  leases((store) => store.acquire(name, replica, Duration.minutes(1)))
)

/** All of them. */
export const mutations: EveryMutation = {
  each: (use) => [
    use({
      method: "AppStore.register",
      given: requested,
      call: (request) => Effect.as(Given.registered(request), "registered"),
      rows: ({ tenant }) => withSql((sql) => sql`select name, status from apps where tenant = ${tenant}`),
      again: "AppNameTaken"
    }),
    use({
      method: "AppStore.change",
      given: Given.registered(),
      call: ({ id }) => Effect.asVoid(Effect.flatMap(AppStore, (apps) => apps.change(id, { policy: "reject" }))),
      rows: (app) => rowsOf(app),
      again: undefined
    }),
    use({
      method: "DeploymentStore.begin by hand",
      given: Given.registered(),
      call: (app) => Effect.map(begin(app), ({ created }) => created),
      rows: (app) => rowsOf(app),
      again: "DeploymentRefused"
    }),
    use({
      method: "DeploymentStore.begin by a Delivery",
      given: Given.registered(),
      call: (app) =>
        Effect.map(
          begin(app, { trigger: { kind: "webhook", deliveryId: DeliveryId.make("delivery-1") } }),
          ({ created }) => created
        ),
      rows: (app) => rowsOf(app),
      again: false
    }),
    use({
      method: "DeploymentStore.admit",
      given: queued,
      call: ({ request }) =>
        Effect.map(
          deployments((store) => store.admit(request)),
          (claim) => claim?.fence ?? "nothing"
        ),
      rows: ofApp,
      again: "nothing"
    }),
    use({
      method: "DeploymentStore.withdraw",
      given: queued,
      call: ({ id }) => deployments((store) => store.withdraw(id)),
      rows: ofApp,
      again: undefined
    }),
    use({
      method: "DeploymentStore.renew",
      given: building,
      call: (claim) => deployments((store) => store.renew(claim, Given.longTerms)),
      rows: ofApp,
      again: undefined
    }),
    use({
      method: "DeploymentStore.built",
      given: Effect.all({ claim: building, image: Given.freshImage }),
      call: ({ claim, image }) => Effect.asVoid(deployments((store) => store.built(claim, image, null))),
      rows: ({ claim }) => rowsOf(claim.app),
      again: "LeaseLost"
    }),
    use({
      method: "DeploymentStore.activate",
      given: deploying,
      call: (claim) => deployments((store) => store.activate(claim)),
      rows: ofApp,
      again: undefined
    }),
    use({
      method: "DeploymentStore.finish as healthy",
      given: activated,
      call: (claim) => finish(claim, "healthy"),
      rows: ofApp,
      again: "LeaseLost"
    }),
    use({
      method: "DeploymentStore.finish as cancelled",
      given: building,
      call: (claim) => finish(claim, "cancelled"),
      rows: ofApp,
      again: "LeaseLost"
    }),
    use({
      method: "DeploymentStore.abandon",
      given: building,
      call: ({ replica }) => deployments((store) => store.abandon(replica)),
      rows: ofApp,
      again: undefined
    }),
    use({
      method: "DeploymentStore.claimAbandoned",
      given: lost,
      call: ({ request }) =>
        Effect.map(
          deployments((store) => store.claimAbandoned(request, 1)),
          (claims) => claims.map(({ fence }): number => fence)
        ),
      rows: ofApp,
      again: []
    }),
    use({
      method: "EnvStore.revise",
      given: Given.registered(),
      call: (app) => Effect.map(Given.revised(app, { A: "1" }), ({ revision }): number => revision),
      rows: (app) => rowsOf(app),
      settles: true,
      again: 1
    }),
    use({
      method: "Journal.intend",
      given: forgotten,
      call: ({ intent }) => journal((store) => store.intend(intent)),
      rows: ofApp,
      again: undefined
    }),
    use({
      method: "Journal.confirm",
      given: intended,
      call: ({ workload }) => journal((store) => store.confirm(workload)),
      rows: ofApp,
      again: undefined
    }),
    use({
      method: "Journal.released",
      given: intended,
      call: ({ intent }) => journal((store) => store.released(intent.name)),
      rows: ofApp,
      again: undefined
    }),
    use({
      method: "Leases.acquire",
      given: leased,
      call: ({ name, replica }) => leases((store) => store.acquire(name, replica, Duration.minutes(1))),
      rows: leaseRows,
      again: 1
    }),
    use({
      method: "Leases.release",
      given: held,
      call: ({ name, replica }) => leases((store) => store.release(name, replica)),
      rows: leaseRows,
      again: undefined
    }),
    use({
      method: "LogStore.append",
      given: logged,
      call: (log) => logs((store) => store.append(log, [{ stream: "stdout", line: "said" }], { writer, nth: 2 })),
      rows: logRows,
      again: undefined
    }),
    use({
      method: "LogStore.end",
      given: logged,
      call: (log) => logs((store) => store.end(log)),
      rows: logRows,
      again: undefined
    }),
    use({
      method: "RouteStore.put",
      given: routed,
      call: (route) => Effect.asVoid(routes((store) => store.put(route))),
      rows: routeRows,
      again: undefined
    }),
    use({
      method: "RouteStore.end",
      given: routed,
      call: ({ app }) => Effect.asVoid(routes((store) => store.end(app, fence))),
      rows: routeRows,
      again: undefined
    }),
    use({
      method: "RouteStore.report",
      given: decided,
      call: ({ app, version }) => routes((store) => store.report(app, version, "applied")),
      rows: routeRows,
      again: undefined
    })
  ]
}
