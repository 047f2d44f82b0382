// Whatever ends a Deployment from outside arrives at every point of its way, before and after each call of a port: it ends
// as it was asked or had ended already, at most one version serves, and nothing else is left.
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AppStatus } from "../../src/domain/App.ts"
import { type Deployment, type DeploymentStatus, isTerminal } from "../../src/domain/Deployment.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { expire } from "../../src/program/expire.ts"
import { type Point, pointsOf } from "../../src/testing/everyFailpoint.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import {
  expectOneAtATime,
  expectSettled,
  newest,
  reapedLater,
  servingOf,
  takenFromQueue,
  whileTimePasses
} from "./invariants.ts"
import { startReplica, world } from "./scripted.ts"

interface Request {
  readonly ask: (
    deployment: Deployment
  ) => Effect.Effect<unknown, { readonly _tag: string }, AppStore | DeploymentStore>
  /** How what is in progress ends then. */
  readonly endsAs: DeploymentStatus
  /** The status of the App in the end. */
  readonly leaves: AppStatus
}

const mark =
  (to: "stopped" | "deleting"): Request["ask"] =>
  ({ app }) =>
    Effect.flatMap(AppStore, (apps) => apps.mark(app, to))

const requests: ReadonlyArray<readonly [string, Request]> = [
  [
    "INV-4 X5: a cancel",
    {
      ask: ({ id }) => Effect.flatMap(DeploymentStore, (store) => store.requestCancel(id)),
      endsAs: "cancelled",
      leaves: "live"
    }
  ],
  [
    "U5: a newer Deployment under the Policy supersede",
    {
      ask: ({ app }) =>
        Effect.flatMap(DeploymentStore, (store) =>
          store.begin({ app, trigger: { kind: "manual" }, policy: "supersede" })
        ),
      endsAs: "superseded",
      leaves: "live"
    }
  ],
  ["INV-6: the stop of its App", { ask: mark("stopped"), endsAs: "cancelled", leaves: "stopped" }],
  ["INV-6: the end of its App", { ask: mark("deleting"), endsAs: "cancelled", leaves: "deleted" }]
]

interface Arrival {
  readonly point: Point
  readonly when: "before" | "after"
}

const begun = Effect.fnUntraced(function* (redeploy: boolean) {
  const app = yield* registered({ preDeploy: ["migrate"] })
  if (redeploy) yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  return app
})

/** Every place at which something can arrive; before the first one there is no Deployment. */
const arrivals = Effect.fnUntraced(function* (redeploy: boolean) {
  const app = yield* begun(redeploy)
  const { ports } = yield* startReplica("one")
  const points = yield* pointsOf(Effect.provideContext(deploy(asked(app)), ports))
  return points
    .flatMap((point): ReadonlyArray<Arrival> => [
      { point, when: "before" },
      { point, when: "after" }
    ])
    .slice(1)
})

const check = Effect.fnUntraced(function* (redeploy: boolean, { point, when }: Arrival, request: Request) {
  const state = yield* MemoryState
  const app = yield* begun(redeploy)
  const before = servingOf(state, app.id)
  const [one, other] = [yield* startReplica("one"), yield* startReplica("other")]
  const stores = yield* Effect.context<AppStore | DeploymentStore | MemoryState>()

  let met: Deployment | undefined
  const arrive = Effect.gen(function* () {
    met = (yield* newest(app)).deployment
    yield* request.ask(met)
  }).pipe(Effect.orDie, Effect.provideContext(stores))
  one.script.reactions.set(`${point.name}#${point.nth}`, (call) =>
    when === "before" ? Effect.andThen(arrive, call) : Effect.tap(call, arrive)
  )
  yield* whileTimePasses(one.run(deploy(asked(app))))
  if (met === undefined) return yield* Effect.die("the point was not reached")

  yield* whileTimePasses(other.run(takenFromQueue))
  yield* whileTimePasses(other.run(expire()))
  yield* reapedLater(other)
  yield* whileTimePasses(other.run(expire()))

  const { status } = state.deployments.get(met.id)?.deployment ?? {}
  expect(status, `it was ${met.status}`).toBe(isTerminal(met.status) ? met.status : request.endsAs)
  expect(state.apps.get(app.id)?.app.status).toBe(request.leaves)
  expectOneAtATime(state, app.id)
  expectSettled(state, app.id)
  if (request.leaves !== "live") return
  const last = (yield* newest(app)).deployment
  if (last.status === "healthy") expect(servingOf(state, app.id).deployment).toBe(last.id)
  else expect(servingOf(state, app.id)).toStrictEqual(before)
})

describe.each([
  ["a first deployment", false],
  ["a deployment over a serving release", true]
] as const)("%s", (_, redeploy) => {
  it.effect.each(requests)("%s, at any point of it, ends it as was asked and leaves nothing", ([, request]) =>
    Effect.gen(function* () {
      const all = yield* Effect.provide(arrivals(redeploy), world)
      expect(all.length).toBeGreaterThan(40)
      const broken = yield* Effect.forEach(all, (arrival) =>
        check(redeploy, arrival, request).pipe(
          Effect.provide(world),
          Effect.as([]),
          Effect.catchDefect((defect) =>
            Effect.succeed([`${arrival.when} ${arrival.point.name}#${arrival.point.nth}: ${String(defect)}`])
          )
        )
      )
      expect(broken.flat()).toStrictEqual([])
    })
  )
})
