// An installation has one id for ever, whoever proposes which.

import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { PostgresInstallation } from "../src/PostgresInstallation.ts"
import { reasonOf } from "./support/reasonOf.ts"
import { replicas, stores, unique } from "./support/stores.ts"

const idOf = (proposed: string) => Effect.flatMap(PostgresInstallation, (installation) => installation.idOf(proposed))

layer(stores(), { excludeTestServices: true })("the id of an installation", (it) => {
  it.effect("is no id that does not fit", () =>
    Effect.gen(function* () {
      for (const wrong of ["", "Upper", "-dash", "dash-", "a".repeat(33), "two words"]) {
        assert.strictEqual(yield* reasonOf(idOf(wrong)), "unexpected")
      }
    })
  )

  it.effect("is one for all replicas that propose another one each at their first start, and stays it", () =>
    Effect.gen(function* () {
      const [one, other] = yield* replicas()
      const proposals = Array.from({ length: 20 }, (_, index) =>
        Effect.provideContext(idOf(`proposed-${index}`), index % 2 === 0 ? one : other)
      )
      const ids = yield* Effect.all(proposals, { concurrency: "unbounded" })
      assert.strictEqual(unique(ids), 1)
      assert.match(ids[0] ?? "", /^proposed-\d+$/)
      for (const later of ["later", "Not an id"]) assert.strictEqual(yield* idOf(later), ids[0])
    })
  )
})
