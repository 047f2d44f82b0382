// Random programs of two replicas as a property: the scheduler of fast-check decides whose next call goes on, while time
// passes, programs are interrupted and replicas are killed.

import { DateTime, Effect, type Layer } from "effect"
import * as fc from "fast-check"
import { everything } from "../../../../test/harness/models/models.ts"
import type { App } from "../../src/domain/App.ts"
import type { Page } from "../../src/domain/Page.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { cancel } from "../../src/program/cancel.ts"
import { deploy } from "../../src/program/deploy.ts"
import type { DispatcherPorts } from "../../src/program/Dispatcher.ts"
import { expire } from "../../src/program/expire.ts"
import { mergeEnv } from "../../src/program/mergeEnv.ts"
import { reap } from "../../src/program/reap.ts"
import { beginRollback } from "../../src/program/rollback.ts"
import { asked, changeOf } from "../../src/testing/Fixture.ts"
import type { MemoryPorts } from "../support/layerMemory.ts"
import { type Replicas, startReplicas } from "./scheduledReplicas.ts"

type Perform = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

const perform: Perform = (effect) => Effect.runPromise(effect)

const command = (
  label: string,
  run: (replicas: Replicas) => Effect.Effect<unknown>
): fc.AsyncCommand<Replicas, Perform> => ({
  check: () => true,
  run: async (replicas, perform) => void (await perform(run(replicas))),
  toString: () => label
})

/** Starts a program about an App on a replica. */
const about = (name: string, program: (app: App) => Effect.Effect<unknown, unknown, DispatcherPorts>) =>
  fc.tuple(fc.nat(1), fc.nat(3)).map(([replica, index]) =>
    command(`${name}(${replica}, ${index})`, ({ apps, start }) => {
      const app = apps[index]
      return app === undefined ? Effect.void : start(replica, program(app))
    })
  )

/** Does something with the oldest of the newest few of what an App has, if it has any. */
const ofNewest = <A, E, E2, R>(
  read: (store: DeploymentStore["Service"]) => Effect.Effect<Page<A>, E>,
  use: (of: A) => Effect.Effect<unknown, E2, R>
) =>
  Effect.gen(function* () {
    const oldest = (yield* read(yield* DeploymentStore)).items.at(-1)
    if (oldest !== undefined) yield* use(oldest)
  })

const merge = (key: string) =>
  about(`merge ${key}`, (app) => mergeEnv({ app: app.id, actor: "model", change: changeOf({ [key]: "1" }) }))

const programs = [
  about("deploy", (app) => deploy(asked(app))),
  about("queue", (app) => deploy(asked(app, { policy: "queue" }))),
  about("supersede", (app) => deploy(asked(app, { policy: "supersede" }))),
  about("redeploy", (app) =>
    deploy(asked(app, { trigger: { kind: "redeploy" }, release: "current", policy: "queue" }))
  ),
  about("cancel", (app) =>
    ofNewest(
      (store) => store.list(app.id, { limit: 1 }),
      ({ id }) => cancel(id)
    )
  ),
  about("roll back", (app) =>
    ofNewest(
      (store) => store.releases(app.id, { limit: 5 }),
      ({ id }) => beginRollback({ app: app.id, release: id, policy: "queue" })
    )
  ),
  about("stop", (app) => Effect.flatMap(AppStore, (apps) => apps.mark(app.id, "stopped"))),
  about("start", (app) => deploy(asked(app, { trigger: { kind: "start" } }))),
  about("delete", (app) => Effect.flatMap(AppStore, (apps) => apps.mark(app.id, "deleting"))),
  about("set expiry", (app) => Effect.flatMap(AppStore, (apps) => apps.setExpiry(app.id, DateTime.makeUnsafe(0)))),
  fc.nat(1).map((replica) => command(`expire(${replica})`, ({ start }) => start(replica, expire()))),
  merge("A"),
  merge("B"),
  fc.nat(1).map((replica) => command(`reap(${replica})`, ({ start }) => start(replica, reap()))),
  fc.nat(2).map((index) => command(`interrupt(${index})`, ({ interrupt }) => interrupt(index))),
  fc.nat(1).map((replica) => command(`kill(${replica})`, ({ kill }) => kill(replica))),
  fc.constantFrom(1, 5, 20).map((seconds) => command(`pass(${seconds})`, ({ pass }) => pass(seconds)))
]

/** The property that programs over these layers keep every invariant, whatever the order of their calls. */
export const programsKeep =
  (layer: Layer.Layer<MemoryPorts>) => (constraints: Pick<fc.CommandsContraints, "replayPath" | "size">) => {
    const commands = fc.commands(programs, { maxCommands: 16, ...constraints })
    return fc.asyncProperty(commands, fc.scheduler(), async (commands, scheduler) => {
      const replicas = await perform(Effect.scoped(startReplicas(layer, scheduler, everything.rules)))
      await fc.scheduledModelRun(scheduler, () => ({ model: replicas, real: perform }), commands)
      await perform(replicas.settle)
    })
  }
