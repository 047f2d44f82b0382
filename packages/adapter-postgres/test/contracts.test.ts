// The stores on PostgreSQL keep every contract: all laws run on one database, one after the other, in real time.

import { layer } from "@effect/vitest"
import { stores } from "./support/stores.ts"
import { storeLaws } from "./support/storeContracts.ts"

layer(stores(), { excludeTestServices: true })("PostgreSQL", (it) => {
  it.effect.each(storeLaws)("$port $id $law", ({ run }) => run, 120_000)
})
