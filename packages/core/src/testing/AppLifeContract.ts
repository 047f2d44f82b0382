// How Apps end, as all stores together keep it: the status follows the table, what is under way ends with it, and an App is
// deleted only when nothing of it is left.
import { DateTime, Effect, Redacted } from "effect"
import { type App, type AppId, AppStatus, appTransitions } from "../domain/App.ts"
import { GitSource, GitUrl } from "../domain/Source.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EnvStore } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { Journal } from "../port/Journal.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const past = DateTime.makeUnsafe(0)
const future = DateTime.makeUnsafe("2999-01-01T00:00:00Z")

const eventTypes = Effect.fnUntraced(function* (app: App) {
  return (yield* Given.eventsOf(app.tenant)).map(({ type }) => type)
})

const endingOf = Effect.fnUntraced(function* (app: AppId) {
  const apps = yield* AppStore
  return (yield* apps.ending(10_000)).find((ending) => ending.app.id === app)
})

const claimedOf = Effect.fnUntraced(function* (ids: ReadonlyArray<AppId>) {
  const apps = yield* AppStore
  return (yield* apps.claimExpired(10_000)).filter(({ id }) => ids.includes(id))
})

const keyed = GitSource.make({
  type: "git",
  url: GitUrl.make("https://code.example/team/app.git"),
  deployKey: Redacted.make("-----BEGIN PRIVATE KEY-----\nY29udHJhY3Q\n-----END PRIVATE KEY-----\n")
})

/** Brings an App that ends to its end. */
const settled = Effect.fnUntraced(function* (app: AppId) {
  const apps = yield* AppStore
  return yield* apps.settle(yield* present("the App among those that end", yield* endingOf(app)))
})

/**
 * The laws about the end of Apps, with a way to set a status, and one to see how many values of an App are kept that are
 * secrets: its deploy keys and those of its Deployments, and each change of its Env.
 */
export const makeAppLifeContract = <E, R>(
  put: (app: AppId, status: AppStatus) => Effect.Effect<void, E, R>,
  secretsOf: (app: AppId) => Effect.Effect<number, E, R>
): Contract<AppStore | DeploymentStore | EnvStore | EventFeed | Journal | R> => [
  law(
    "R4",
    "stopping and deleting follow the table, change nothing when repeated, and are told once",
    Effect.gen(function* () {
      const apps = yield* AppStore
      for (const to of ["stopped", "deleting"] as const) {
        for (const from of AppStatus.literals) {
          const app = yield* Given.registered()
          yield* put(app.id, from)
          if (from === "deleted") {
            yield* refused("AppGone", apps.mark(app.id, to))
          } else if (from === to) {
            yield* equal("the App", yield* apps.mark(app.id, to), yield* apps.get(app.id))
          } else if (appTransitions[from].includes(to)) {
            const marked = yield* apps.mark(app.id, to)
            yield* equal("the status", marked.status, to)
            yield* equal("the App", yield* apps.mark(app.id, to), marked)
            yield* equal("its Events", yield* eventTypes(app), ["app.live", `app.${to}`])
          } else {
            const { status } = yield* refused("AppNotLive", apps.mark(app.id, to))
            yield* equal("the refusal's status", status, from)
            yield* equal("the status", (yield* apps.get(app.id)).status, from)
          }
        }
      }
    })
  ),

  law(
    "INV-6",
    "with an App its queued Deployment is cancelled, and the one in progress is not healthy any more",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      for (const to of ["stopped", "deleting"] as const) {
        const app = yield* Given.registered()
        const { id } = yield* Given.begun(app)
        yield* equal("the active Deployment", (yield* apps.mark(app.id, to)).activeDeployment, null)
        const { finishedAt, status } = yield* deployments.get(id)
        yield* equal("the Deployment", [status, finishedAt === null], ["cancelled", false])
        const types = yield* eventTypes(app)
        yield* equal(
          "its Events",
          [...types].sort(),
          ["app.live", `app.${to}`, "deployment.cancelled", "deployment.queued"].sort()
        )
        yield* equal("what is admitted", yield* Given.admission(id), undefined)

        const other = yield* Given.registered()
        const claim = yield* Given.deploying(other)
        yield* deployments.activate(claim)
        yield* equal("what is left alone", (yield* apps.mark(other.id, to)).activeDeployment, claim.deployment.id)
        yield* refused("StopRequested", deployments.finish(claim, { status: "healthy" }))
        yield* deployments.finish(claim, { status: "cancelled" })
      }
    })
  ),

  law(
    "R7",
    "a live App's expiry is set and taken back, and that of any other stays",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.registered({ expiresAt: future })
      yield* equal("the expiry", (yield* apps.get(app.id)).expiresAt, future)
      yield* equal("no expiry", (yield* apps.setExpiry(app.id, null)).expiresAt, null)
      yield* equal("a new expiry", (yield* apps.setExpiry(app.id, future)).expiresAt, future)
      for (const status of ["stopped", "expired", "deleting"] as const) {
        yield* put(app.id, status)
        const refusal = yield* refused("AppNotLive", apps.setExpiry(app.id, null))
        yield* equal("the refusal's status", refusal.status, status)
        yield* equal("the expiry", (yield* apps.get(app.id)).expiresAt, future)
      }
      yield* put(app.id, "deleted")
      yield* refused("AppGone", apps.setExpiry(app.id, null))
    })
  ),

  law(
    "R5",
    "live and stopped Apps expire when their time is over, each once, and no other does",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const due = yield* Effect.forEach(Array.from({ length: 8 }), () => Given.registered({ expiresAt: past }))
      const [first] = due
      if (first !== undefined) yield* apps.mark(first.id, "stopped")
      const others = [yield* Given.registered(), yield* Given.registered({ expiresAt: future })]
      const deleting = yield* Given.registered({ expiresAt: past })
      yield* apps.mark(deleting.id, "deleting")
      const ids = [...due, ...others, deleting].map(({ id }) => id)
      const results = yield* together(Array.from({ length: 4 }, () => claimedOf(ids)))
      const claimed = results.flatMap((result) => (result._tag === "Success" ? result.success : []))
      yield* equal("what expired", claimed.map(({ id }) => id).sort(), due.map(({ id }) => id).sort())
      yield* holds(
        "all are expired",
        claimed.every(({ status }) => status === "expired")
      )
      yield* equal("what expires again", yield* claimedOf(ids), [])
      const statuses = yield* Effect.forEach([...others, deleting], ({ id }) => apps.get(id))
      yield* equal(
        "the others",
        statuses.map(({ status }) => status),
        ["live", "live", "deleting"]
      )
      for (const app of due.slice(1, 3)) yield* equal("its Events", yield* eventTypes(app), ["app.live", "app.expired"])
    })
  ),

  law(
    "B8",
    "an App is deleted when no Deployment and no intent of it is left, and not before",
    Effect.gen(function* () {
      const [apps, deployments, journal] = [yield* AppStore, yield* DeploymentStore, yield* Journal]
      const app = yield* Given.registered()
      const claim = yield* Given.deploying(app)
      const name = yield* Given.freshWorkloadName
      const { fence, replica } = claim
      yield* journal.intend({ name, app: app.id, work: claim.deployment.id, fence, replica })
      yield* apps.mark(app.id, "deleting")
      const ending = yield* present("the App among those that end", yield* endingOf(app.id))
      yield* holds("a Fence newer than the Deployment's", ending.fence > fence, ending.fence)
      yield* equal("deleted while a Deployment is in progress", yield* apps.settle(ending), false)
      yield* deployments.finish(claim, { status: "cancelled" })
      yield* equal("deleted while an intent is left", yield* apps.settle(ending), false)
      yield* journal.released(name)
      yield* equal("deleted under an older Fence", yield* apps.settle({ ...ending, fence }), false)
      yield* equal("the status", (yield* apps.get(app.id)).status, "deleting")
      yield* equal("deleted", yield* apps.settle(ending), true)
      yield* refused("AppGone", apps.get(app.id))
      yield* equal("deleted again", yield* apps.settle(ending), false)
      yield* equal("among those that end", yield* endingOf(app.id), undefined)
      const types = yield* eventTypes(app)
      yield* equal("its last Event", types.at(-1), "app.deleted")
      for (const stage of [Given.claimed, Given.deploying]) {
        const busy = yield* stage(yield* Given.registered())
        yield* apps.mark(busy.app.id, "deleting")
        const left = yield* present("the App among those that end", yield* endingOf(busy.app.id))
        yield* equal("deleted while only a Deployment is left", yield* apps.settle(left), false)
        yield* deployments.finish(busy, { status: "cancelled" })
        yield* equal("deleted after its end", yield* apps.settle(left), true)
      }
    })
  ),

  law(
    "INV-6",
    "with a deleted App its secrets are erased, the deploy keys and the Env, and those of no other, nor of one that is stopped",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const secretive = Effect.gen(function* () {
        const app = yield* Given.registered({ source: keyed })
        for (const value of ["1", "2"]) yield* Given.revised(app, { A: value })
        const claim = yield* Given.claimed(app)
        yield* deployments.finish(claim, { status: "cancelled" })
        yield* deployments.withdraw((yield* Given.begun(app)).id)
        return app
      })
      const [app, other] = [yield* secretive, yield* secretive]
      const kept = yield* secretsOf(app.id)
      yield* holds("its keys and its Env are kept", kept >= 4, kept)
      yield* apps.mark(app.id, "stopped")
      yield* equal("settled", yield* settled(app.id), true)
      yield* equal("what is kept of a stopped App", yield* secretsOf(app.id), kept)
      yield* apps.mark(app.id, "deleting")
      yield* equal("what is kept of one that is not deleted yet", yield* secretsOf(app.id), kept)
      yield* equal("deleted", yield* settled(app.id), true)
      yield* equal("what is kept of a deleted App", yield* secretsOf(app.id), 0)
      yield* equal("what is kept of another", yield* secretsOf(other.id), kept)
    })
  ),

  law(
    "B7",
    "a stopped App is settled and stays, an expired one is not settled, and a live one does not end",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.registered({ expiresAt: past })
      yield* equal("a live App among those that end", yield* endingOf(app.id), undefined)
      const stopped = yield* apps.mark(app.id, "stopped")
      yield* equal("settled", yield* apps.settle(yield* present("the stopped App", yield* endingOf(app.id))), true)
      yield* equal("the App", yield* apps.get(app.id), stopped)
      yield* equal("a settled App among those that end", yield* endingOf(app.id), undefined)
      yield* equal("its Events", yield* eventTypes(app), ["app.live", "app.stopped"])
      yield* claimedOf([app.id])
      yield* equal("settled", yield* apps.settle(yield* present("the expired App", yield* endingOf(app.id))), false)
      yield* apps.mark(app.id, "deleting")
      yield* equal("deleted", yield* apps.settle(yield* present("the deleting App", yield* endingOf(app.id))), true)
    })
  )
]
