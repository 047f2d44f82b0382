// Pairs of operations on Apps, Envs, routes, leases, intents and logs, in every order in which their statements can be sent.

import { layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import { HostPort } from "@lockkeeper/core/domain/App"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { Address, IpAddress, WorkloadId } from "@lockkeeper/core/domain/Workload"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Leases } from "@lockkeeper/core/port/Leases"
import { LogName, LogStore, LogWriterId } from "@lockkeeper/core/port/LogStore"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect } from "effect"
import { begin, deploying, endApp, meets, withSql } from "./support/meetings.ts"
import { rowsOf } from "./support/meetingRows.ts"
import { stores } from "./support/stores.ts"

const revise = (entries: Readonly<Record<string, string>>) => (app: App) => Effect.asVoid(Given.revised(app, entries))

const put = (fence: number) => (app: App) =>
  Effect.asVoid(
    Effect.flatMap(RouteStore, (routes) =>
      routes.put({
        app: app.id,
        hostPort: app.hostPort,
        fence: Fence.make(fence),
        address: { host: IpAddress.make("127.0.0.1"), port: HostPort.make(30_000 + fence) }
      })
    )
  )

const routeRows = ({ id }: App) =>
  withSql((sql) => sql`select fence, address_port, progress from routes where app = ${id}`)

const acquire = (name: string) =>
  Effect.flatMap(Given.freshReplica, (replica) =>
    Effect.map(
      Effect.flatMap(Leases, (leases) => leases.acquire(name, replica, Duration.minutes(1))),
      (fence) => fence ?? "taken"
    )
  )

const leaseRows = (name: string) => withSql((sql) => sql`select replica, fence from leases where name = ${name}`)

const said = (...lines: ReadonlyArray<string>) => lines.map((line) => ({ stream: "stdout", line }) as const)

const append =
  (...lines: ReadonlyArray<string>) =>
  (log: LogName) =>
    Effect.flatMap(LogStore, (logs) => logs.append(log, said(...lines)))

/** An append at this place of one writer, which may be asked again. */
const appendAt =
  (nth: number, ...lines: ReadonlyArray<string>) =>
  (log: LogName) =>
    Effect.flatMap(LogStore, (logs) => logs.append(log, said(...lines), { writer, nth }))

const writer = LogWriterId.make("0".repeat(20))

const endLog = (log: LogName) => Effect.flatMap(LogStore, (logs) => logs.end(log))

const freshLog = Effect.map(Given.freshLetters, (letters) => LogName.make(`deployment/dep_${letters}`))

const logRows = (log: LogName) =>
  Effect.all([
    withSql((sql) => sql`select lines, bytes, truncated, ended from logs where name = ${log}`),
    withSql(
      (sql) =>
        sql`select first, last, convert_from(packed, 'UTF8') as packed from log_chunks where log = ${log} order by first`
    )
  ])

layer(stores(), { excludeTestServices: true })("in every order of statements", (it) => {
  it.effect("E1 INV-5: revise and revise", () =>
    meets({ given: Given.registered(), a: revise({ A: "1" }), b: revise({ B: "2" }), rows: rowsOf })
  )

  it.effect("E5 INV-6: revise and the App being deleted", () =>
    meets({ given: Given.registered(), a: revise({ A: "1" }), b: (app) => endApp(app, "deleted"), rows: rowsOf })
  )

  it.effect("INV-5: revise and begin, which pins the Revision", () =>
    meets({ given: Given.registered(), a: revise({ A: "1" }), b: (app) => begin(app), rows: rowsOf })
  )

  it.effect("R7: change and the App being stopped", () =>
    meets({
      given: Given.registered(),
      a: ({ id }) => Effect.asVoid(Effect.flatMap(AppStore, (apps) => apps.change(id, { policy: "reject" }))),
      b: (app) => endApp(app, "stopped"),
      rows: rowsOf
    })
  )

  it.effect("INV-6: intend for what serves, and its App being deleted", () =>
    meets({
      given: Effect.all({
        serving: Effect.flatMap(Given.registered(), (app) => Given.deployed(app)),
        name: Given.freshWorkloadName
      }),
      a: ({ name, serving: { claim } }) =>
        Effect.flatMap(Journal, (journal) =>
          journal.intend({
            app: claim.app.id,
            work: claim.deployment.id,
            fence: claim.fence,
            name,
            replica: claim.replica
          })
        ),
      b: ({ serving: { claim } }) =>
        Effect.flatMap(AppStore, (apps) =>
          Effect.gen(function* () {
            const app = yield* apps.mark(claim.app.id, "deleting")
            return yield* apps.settle({ app, fence: Fence.make(claim.fence + 1) })
          })
        ),
      rows: ({ serving: { claim } }) => rowsOf(claim.app)
    })
  )

  it.effect("INV-7: confirm and released", () =>
    meets({
      given: Effect.gen(function* () {
        const { app, deployment, fence, replica } = yield* deploying
        const name = yield* Given.freshWorkloadName
        yield* (yield* Journal).intend({ app: app.id, work: deployment.id, fence, name, replica })
        return { app, name, image: yield* Given.freshImage }
      }),
      a: ({ image, name }) =>
        Effect.flatMap(Journal, (journal) =>
          journal.confirm({
            id: WorkloadId.make("one"),
            name,
            image,
            address: Address.make({ host: IpAddress.make("127.0.0.1"), port: HostPort.make(31_000) })
          })
        ),
      b: ({ name }) => Effect.flatMap(Journal, (journal) => journal.released(name)),
      rows: ({ app }) => rowsOf(app)
    })
  )

  for (const [older, newer] of [
    [4, 6],
    [6, 6]
  ] as const) {
    it.effect(`INV-8: put of a route with Fence ${older} and put with Fence ${newer}`, () =>
      meets({ given: Effect.tap(Given.registered(), put(3)), a: put(older), b: put(newer), rows: routeRows })
    )
  }

  it.effect("INV-8: put and put of the first route of an App", () =>
    meets({ given: Given.registered(), a: put(4), b: put(6), rows: routeRows })
  )

  it.effect("H22: acquire and acquire of a lease that ran out", () =>
    meets({
      given: Effect.tap(Given.freshLetters, (name) =>
        withSql((sql) => sql`insert into leases values (${name}, 'gone', 7, now() - interval '1 second')`)
      ),
      a: acquire,
      b: acquire,
      rows: leaseRows
    })
  )

  it.effect("H22: acquire and acquire of a lease that nobody had", () =>
    meets({ given: Given.freshLetters, a: acquire, b: acquire, rows: leaseRows })
  )

  it.effect("U1: append and append to one log, the first ones and later ones", () =>
    Effect.gen(function* () {
      yield* meets({ given: freshLog, a: append("a", "b"), b: append("c"), rows: logRows })
      yield* meets({ given: Effect.tap(freshLog, append("0")), a: append("a", "b"), b: append("c"), rows: logRows })
    })
  )

  it.effect("U1: append and append where only one of them fits", () =>
    meets(
      { given: Effect.tap(freshLog, append("0")), a: append("1234567"), b: append("abcdefg"), rows: logRows },
      { logLimitBytes: 12 }
    )
  )

  it.effect("U1: an append, and the same one asked again", () =>
    Effect.gen(function* () {
      const again = appendAt(2, "a", "b")
      yield* meets({ given: freshLog, a: again, b: again, rows: logRows })
      yield* meets({ given: Effect.tap(freshLog, appendAt(1, "0")), a: again, b: again, rows: logRows })
      yield* meets({ given: Effect.tap(freshLog, appendAt(1, "0")), a: again, b: append("c"), rows: logRows })
    })
  )

  it.effect("U1: append and end of one log", () =>
    Effect.gen(function* () {
      yield* meets({ given: freshLog, a: append("a"), b: endLog, rows: logRows })
      yield* meets({ given: Effect.tap(freshLog, append("0")), a: append("a"), b: endLog, rows: logRows })
    })
  )
})

const ports = { first: 30_001, last: 30_002 }

layer(stores({ ports }), { excludeTestServices: true })("in every order of statements, with two host ports", (it) => {
  const register = (request: Parameters<typeof Given.registered>[0]) =>
    Effect.map(Given.registered(request), ({ hostPort, status }) => ({ hostPort, status }))

  const noApps = withSql((sql) => sql`update apps set status = 'deleted'`)

  const appRows = () => withSql((sql) => sql`select host_port from apps where status <> 'deleted' order by host_port`)

  it.effect("register and register of one name", () =>
    meets(
      {
        given: Effect.andThen(noApps, Effect.all({ tenant: Given.freshTenant, name: Given.freshAppName })),
        a: register,
        b: register,
        rows: appRows
      },
      { ports }
    )
  )

  it.effect("register and register for the last port", () =>
    meets(
      {
        given: Effect.andThen(noApps, Given.registered()),
        a: () => register({}),
        b: () => register({}),
        rows: appRows
      },
      { ports }
    )
  )
})
