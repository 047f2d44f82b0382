// A guard that is taken away from what the stores send is noticed: in some order of their statements two operations come to
// what neither order of the operations comes to.

import { assert, layer } from "@effect/vitest"
import { Journal } from "@lockkeeper/core/port/Journal"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import type { Meeting } from "../../../test/harness/interleavings.ts"
import {
  abandoned,
  activated,
  admit,
  deploying,
  endApp,
  finish,
  met,
  type Ports,
  queued,
  takeOver
} from "./support/meetings.ts"
import { rowsOf } from "./support/meetingRows.ts"
import { stores } from "./support/stores.ts"

const noticed = Effect.fnUntraced(function* <G>(guard: RegExp, meeting: Meeting<G, Ports>) {
  const { offending } = yield* met(meeting, {}, (statement) => statement.replace(guard, ""))
  assert.isNotEmpty(offending)
})

layer(stores(), { excludeTestServices: true })("a guard that is taken away is noticed", (it) => {
  it.effect("INV-6: the lock of the App that gets a Release", () =>
    noticed(/(?<=select status from apps where id = \$1 )for no key update/, {
      given: activated,
      a: (claim) => finish(claim, "healthy"),
      b: ({ app }) => endApp(app, "expired"),
      rows: ({ app }) => rowsOf(app)
    })
  )

  it.effect("INV-3: the lock of the Tenant whose Deployment is admitted", () =>
    noticed(/for no key update.*$/s, {
      given: queued(1),
      a: () => admit,
      b: () => admit,
      rows: ({ app }) => rowsOf(app)
    })
  )

  it.effect("INV-7: the lock of the Deployment for which something is about to be created", () =>
    noticed(/for share(?! of)/, {
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
})
