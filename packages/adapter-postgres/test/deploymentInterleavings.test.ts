// Pairs of operations on Deployments that meet on the same rows, in every order in which their statements can be sent: each
// comes to what one after the other comes to, or to what is listed with the reason why that is right too.

import { layer } from "@effect/vitest"
import type { App, DeploymentId } from "@lockkeeper/core/domain/App"
import { DeliveryId } from "@lockkeeper/core/domain/Deployment"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { Journal } from "@lockkeeper/core/port/Journal"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import {
  abandoned,
  activated,
  admit,
  begin,
  building,
  deploying,
  deployments,
  endApp,
  finish,
  meets,
  queued,
  takeOver,
  withSql
} from "./support/meetings.ts"
import { rowsOf } from "./support/meetingRows.ts"
import { stores } from "./support/stores.ts"

const ofClaim = ({ app }: { readonly app: App }) => rowsOf(app)

const activate = (claim: Claim) => deployments((store) => store.activate(claim))

const cancelled = ({ deployment }: { readonly deployment: { readonly id: DeploymentId } }) =>
  Effect.map(
    deployments((store) => store.requestCancel(deployment.id)),
    ({ cancelling, status }) => ({ status, cancelling })
  )

const delivered = (app: App) => begin(app, { trigger: { kind: "webhook", deliveryId: DeliveryId.make("delivery-1") } })

const passedBy = {
  who: "B",
  answer: [],
  because: "an App that somebody holds is passed by, and the next sweep takes it"
} as const

layer(stores(), { excludeTestServices: true })("in every order of statements", (it) => {
  it.effect("INV-2: begin and begin of one App", () =>
    meets({ given: Given.registered(), a: begin, b: begin, rows: rowsOf })
  )

  it.effect("INV-2 U9: begin and begin of one Delivery", () =>
    meets({ given: Given.registered(), a: delivered, b: delivered, rows: rowsOf })
  )

  for (const status of ["stopped", "deleted"] as const) {
    it.effect(`R1 INV-6: begin and the App being ${status}`, () =>
      meets({ given: Given.registered(), a: (app) => begin(app), b: (app) => endApp(app, status), rows: rowsOf })
    )
  }

  for (const cap of [1, 2]) {
    it.effect(
      `INV-3: admit and admit of two with a cap of ${cap}`,
      () => meets({ given: queued(cap), a: () => admit, b: () => admit, rows: ofClaim }),
      300_000
    )
  }

  // Who finds that the Deployment was withdrawn has used up a Fence of its App: Fences grow, without being gap-free.
  it.effect("R1: admit and withdraw", () =>
    meets({
      given: queued(2),
      a: () => admit,
      b: ({ head }) => deployments((store) => store.withdraw(head.id)),
      rows: ({ app }) => rowsOf(app, { withFences: false })
    })
  )

  it.effect("INV-3: admit and the cap being lowered", () =>
    meets({
      given: queued(1),
      a: () => admit,
      b: ({ app }) => withSql((sql) => sql`update tenants set job_cap = 0 where name = ${app.tenant}`),
      rows: ofClaim
    })
  )

  it.effect("H22 INV-13: renew and claimAbandoned", () =>
    meets({
      given: Effect.flatMap(building, abandoned),
      a: (claim) => deployments((store) => store.renew(claim, Given.longTerms)),
      b: takeOver,
      rows: ofClaim
    })
  )

  it.effect("H22: renew and abandon", () =>
    meets({
      given: building,
      a: (claim) => deployments((store) => store.renew(claim, Given.longTerms)),
      b: ({ replica }) => deployments((store) => store.abandon(replica)),
      rows: ofClaim
    })
  )

  it.effect("R9 INV-13: built and claimAbandoned", () =>
    meets({
      given: Effect.all({ claim: Effect.flatMap(building, abandoned), image: Given.freshImage }),
      a: ({ claim, image }) => Effect.asVoid(deployments((store) => store.built(claim, image, null))),
      b: ({ claim }) => takeOver(claim),
      rows: ({ claim }) => rowsOf(claim.app)
    })
  )

  it.effect("R9 INV-13: activate and claimAbandoned", () =>
    meets({
      given: Effect.flatMap(deploying, abandoned),
      a: activate,
      b: takeOver,
      rows: ofClaim,
      tolerated: [passedBy]
    })
  )

  it.effect("R1 INV-6: activate and the App expiring", () =>
    meets({ given: deploying, a: activate, b: ({ app }) => endApp(app, "expired"), rows: ofClaim })
  )

  it.effect("INV-13: claimAbandoned and claimAbandoned", () =>
    meets({ given: Effect.flatMap(building, abandoned), a: takeOver, b: takeOver, rows: ofClaim })
  )

  for (const status of ["healthy", "cancelled"] as const) {
    it.effect(`R9 INV-13: finish as ${status} and claimAbandoned`, () =>
      meets({
        given: Effect.flatMap(activated, abandoned),
        a: (claim) => finish(claim, status),
        b: takeOver,
        rows: ofClaim,
        tolerated: status === "healthy" ? [passedBy] : []
      })
    )

    it.effect(`INV-8: finish as healthy and finish as ${status}`, () =>
      meets({
        given: activated,
        a: (claim) => finish(claim, "healthy"),
        b: (claim) => finish(claim, status),
        rows: ofClaim
      })
    )

    it.effect(`INV-6: finish as ${status} and the App being deleted`, () =>
      meets({
        given: activated,
        a: (claim) => finish(claim, status),
        b: ({ app }) => endApp(app, "deleted"),
        rows: ofClaim
      })
    )

    it.effect(`INV-2: finish as ${status} and begin`, () =>
      meets({ given: activated, a: (claim) => finish(claim, status), b: ({ app }) => begin(app), rows: ofClaim })
    )
  }

  for (const status of ["healthy", "cancelled"] as const) {
    it.effect(`INV-4 X5: finish as ${status} and requestCancel`, () =>
      meets({ given: activated, a: (claim) => finish(claim, status), b: cancelled, rows: ofClaim })
    )

    it.effect(`U5 U8: finish as ${status} and begin under supersede`, () =>
      meets({
        given: activated,
        a: (claim) => finish(claim, status),
        b: ({ app }) => begin(app, { policy: "supersede" }),
        rows: ofClaim
      })
    )
  }

  // Who finds that the Deployment was cancelled has used up a Fence of its App: Fences grow, without being gap-free.
  it.effect("X5: admit and requestCancel", () =>
    meets({
      given: queued(2),
      a: () => admit,
      b: ({ head }) => cancelled({ deployment: head }),
      rows: ({ app }) => rowsOf(app, { withFences: false })
    })
  )

  it.effect("U5: begin and begin, both under queue while one is in progress", () =>
    meets({
      given: building,
      a: ({ app }) => begin(app, { policy: "queue" }),
      b: ({ app }) => begin(app, { policy: "queue" }),
      rows: ofClaim
    })
  )

  it.effect("INV-7: intend and claimAbandoned", () =>
    meets({
      given: Effect.all({ claim: Effect.flatMap(deploying, abandoned), name: Given.freshWorkloadName }),
      a: ({ claim: { app, deployment, fence, replica }, name }) =>
        Effect.flatMap(Journal, (journal) =>
          journal.intend({ app: app.id, work: deployment.id, fence, name, replica })
        ),
      b: ({ claim }) =>
        Effect.all([
          takeOver(claim),
          Effect.flatMap(Journal, (journal) => Effect.map(journal.held(claim.app.id), (held) => held.length))
        ]),
      rows: ({ claim }) => rowsOf(claim.app)
    })
  )

  it.effect("INV-7: intend and the healthy end of the same holder", () =>
    meets({
      given: Effect.all({ claim: activated, name: Given.freshWorkloadName }),
      a: ({ claim: { app, deployment, fence, replica }, name }) =>
        Effect.flatMap(Journal, (journal) =>
          journal.intend({ app: app.id, work: deployment.id, fence, name, replica })
        ),
      b: ({ claim }) => finish(claim, "healthy"),
      rows: ({ claim }) => rowsOf(claim.app)
    })
  )
})
