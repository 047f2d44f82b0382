// Expires Apps whose time is over, and takes down what Apps that are not live have left: their route first, then their
// Workloads. Any replica may run it, at any time, as often as it likes.
import { Effect } from "effect"
import { type AppEnding, AppStore } from "../port/AppStore.ts"
import type { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import type { LogStore } from "../port/LogStore.ts"
import { Router } from "../port/Router.ts"
import type { StoreError } from "../port/StoreError.ts"
import { countAppsEnded } from "./metrics.ts"
import { retire } from "./retire.ts"

/** What one pass expired, and how many Apps have nothing left since. */
export interface Expired {
  readonly expired: number
  readonly settled: number
}

/** The ports that ending Apps needs. */
export type ExpirePorts = AppStore | ContainerRuntime | Journal | LogStore | Router

/** How much one pass takes on. */
const batch = 100

/**
 * Expires what is over its time, begins to delete what is expired, and takes down Apps that are not live. One is deleted
 * only when nothing of it is left; what fails stays as it is for a later pass, and holds up nothing else.
 */
export const expire = Effect.fn("expire")(function* (): Effect.fn.Return<Expired, StoreError, ExpirePorts> {
  const apps = yield* AppStore
  const expired = yield* apps.claimExpired(batch)
  yield* countAppsEnded("expired", expired.length)
  const settled = yield* Effect.forEach(yield* apps.ending(batch), takeDown, { concurrency: 4 })
  const count = settled.filter(Boolean).length
  yield* countAppsEnded("settled", count)
  return { expired: expired.length, settled: count }
})

const takeDown = Effect.fnUntraced(function* (ending: AppEnding) {
  const { app, fence } = ending
  const work = Effect.gen(function* () {
    const apps = yield* AppStore
    const journal = yield* Journal
    const router = yield* Router
    if (app.status === "expired") yield* apps.mark(app.id, "deleting")
    yield* router.remove(app.id, fence)
    const left = (yield* journal.held(app.id)).filter((intent) => isLeft(ending, intent))
    if (left.length > 0) yield* router.drain(app.id)
    yield* Effect.forEach(left, retire, { concurrency: 4, discard: true })
    return yield* apps.settle(ending)
  })
  return yield* Effect.catchCause(work, (cause) =>
    Effect.as(
      Effect.andThen(countAppsEnded("failed", 1), Effect.logWarning(`${app.id} was not taken down yet`, cause)),
      false
    )
  )
})

/** What a Deployment in progress made is its holder's; what is newer than the App's end is not meant. */
const isLeft = ({ app, fence }: AppEnding, intent: Intent): boolean =>
  intent.work !== app.activeDeployment && intent.fence <= fence
