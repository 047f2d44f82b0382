// Every step of a deploy on the real engine, gone wrong in every way: it fails, it is interrupted before or after its effect,
// its process is killed after it. Whatever it is, one version serves afterwards, from one container, and nothing else is left.

import { assert, layer } from "@effect/vitest"
import * as DockerContainerRuntime from "@lockkeeper/adapter-docker/DockerContainerRuntime"
import * as DockerSourceFetcher from "@lockkeeper/adapter-docker/DockerSourceFetcher"
import { AppName } from "@lockkeeper/core/domain/App"
import { isTerminal } from "@lockkeeper/core/domain/Deployment"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ImageReference } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { deploy } from "@lockkeeper/core/program/deploy"
import { reap } from "@lockkeeper/core/program/reap"
import { Context, Duration, Effect, Fiber, Layer } from "effect"
import { counts, freshInstallation, removeAll } from "../../packages/adapter-docker/test/support/engine.ts"
import { docker } from "../harness/engine.ts"
import {
  crashesAfter,
  dies,
  fails,
  makeHold,
  type Reaction,
  type ScriptedReplica,
  startReplica,
  world
} from "../../packages/core/test/program/scripted.ts"
import { describeWith } from "../harness/capability.ts"
import { eventually } from "../harness/eventually.ts"
import { GitWorld } from "../harness/gitWorld.ts"
import { images } from "../harness/images.ts"
import { temporaryDirectory } from "../harness/temporaryDirectory.ts"

const installation = freshInstallation()
const replica = ReplicaId.make("engine")
const terms = { ttl: Duration.millis(1_500), renewEvery: Duration.millis(300) }

const fetcher = Layer.unwrap(
  Effect.map(temporaryDirectory, (directory) =>
    DockerSourceFetcher.layer({ installation, replica, directory, gitImage: ImageReference.make(images.git) })
  )
).pipe(Layer.provide(SourceFetcher.layerMemory))

const onDocker = Layer.mergeAll(
  fetcher,
  DockerContainerRuntime.layer({ installation, replica, grace: "1 second" }),
  Layer.effectDiscard(Effect.addFinalizer(() => removeAll(installation)))
).pipe(Layer.provideMerge(world), Layer.provideMerge(GitWorld.layer))

const begin = Effect.fnUntraced(function* (one: ScriptedReplica) {
  const { app } = yield* Victim
  return yield* one.run(deploy({ app, trigger: { kind: "manual" } }))
})

/** The App that is deployed again and again, with a version that serves. */
class Victim extends Context.Service<
  Victim,
  { readonly app: Parameters<typeof deploy>[0]["app"]; readonly calls: ReadonlyArray<string> }
>()("test/docker/Victim") {
  static readonly layer = Layer.effect(
    Victim,
    Effect.gen(function* () {
      const { source } = yield* GitWorld
      const { id: app } = yield* (yield* AppStore).register({
        tenant: TenantName.make("faults"),
        name: AppName.make("victim"),
        source
      })
      const one = yield* startReplica("first", terms)
      const { status } = yield* one.run(deploy({ app, trigger: { kind: "manual" } }))
      assert.strictEqual(status, "healthy")
      one.script.calls.splice(0)
      yield* one.run(deploy({ app, trigger: { kind: "manual" } }))
      const calls = one.script.calls.filter((call) => !/LogStore|renew|begin|admit/.test(call))
      return { app, calls: [...new Set(calls.map((call) => call.replace(/#.*/, "#1")))] }
    })
  ).pipe(Layer.provideMerge(onDocker))
}

/** What there is now, in one line: containers and what else is on the engine, and who the traffic goes to. */
const seen = Effect.gen(function* () {
  const state = yield* MemoryState
  const { app } = yield* Victim
  const open = [...state.deployments.values()].filter(({ deployment }) => !isTerminal(deployment.status)).length
  const current = [...state.releases.values()].find(({ release }) => release.app === app && release.current)
  const held = [...state.intents.values()].filter((intent) => !intent.released)
  const route = state.routes.get(app)?.address
  const [intent] = held
  const filters = { label: [`lockkeeper.installation=${installation}`, "lockkeeper.kind=workload"] }
  const containers = yield* Effect.promise(() => docker.listContainers({ all: true, filters }))
  const { containers: all, networks, volumes } = yield* counts(installation)
  return [
    open === 0 ? "nothing in progress" : `${open} in progress`,
    held.length === 1 && intent?.deployment === current?.deployment ? "one intent" : `${held.length} intents`,
    route?.host === intent?.workload?.address.host ? "routed there" : `routed to ${route?.host}`,
    ...containers.map(({ Names, State }) => `${Names[0] === `/${intent?.name}` ? "its container" : Names[0]} ${State}`),
    `${all} containers, ${networks} networks, ${volumes} volumes`
  ].join("; ")
})

const good = "nothing in progress; one intent; routed there; its container running; 1 containers, 1 networks, 0 volumes"

const settles = Effect.gen(function* () {
  const other = yield* startReplica("other", terms)
  const look = Effect.andThen(other.run(reap()), seen)
  return yield* eventually("it settles", look, (what) => what === good, "20 seconds")
})

/** Deploys while a call goes wrong, and waits until nothing more happens. */
const deployedWith = Effect.fnUntraced(function* (call: string, kind: Kind) {
  const hold = yield* makeHold
  const one = yield* startReplica("one", terms)
  const reactions: Readonly<Record<Kind, Reaction>> = {
    fails,
    dies,
    "is interrupted before": hold.before,
    "is interrupted after": hold.after,
    "is killed after": crashesAfter(one.script)
  }
  one.script.reactions.set(call, reactions[kind])
  const fiber = yield* Effect.forkDetach(begin(one))
  if (kind.startsWith("is interrupted")) {
    yield* Effect.raceFirst(hold.reached, Fiber.await(fiber))
    const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
    yield* Effect.sleep("20 millis")
    yield* hold.release
    yield* Fiber.join(interrupting)
  } else if (kind === "is killed after") {
    const isOver = Effect.sync(() => one.script.crashed || fiber.pollUnsafe() !== undefined)
    yield* eventually("it is killed", isOver, (is) => is)
  } else {
    yield* Fiber.await(fiber)
  }
})

const kinds = ["fails", "dies", "is interrupted before", "is interrupted after", "is killed after"] as const
type Kind = (typeof kinds)[number]

/** Only what can fail by itself without the store: its failures are tried in memory. */
const applies = (call: string, kind: Kind): boolean => {
  if (kind === "fails") return /ContainerRuntime|SourceFetcher|Router\.(?:swap|current)/.test(call)
  return kind !== "dies" || /ContainerRuntime|SourceFetcher/.test(call)
}

describeWith(
  "docker",
  "git",
  "sshd"
)("INV-7 INV-8 H37 U4 a deploy on Docker in which a call", () => {
  layer(Victim.layer, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.effect.each(kinds)(
      "%s leaves one version that serves, and nothing else",
      (kind) =>
        Effect.gen(function* () {
          const { calls } = yield* Victim
          assert.isAbove(calls.length, 12, calls.join())
          const broken: Array<string> = []
          for (const call of calls.filter((call) => applies(call, kind))) {
            yield* deployedWith(call, kind)
            yield* Effect.catchDefect(settles, (defect) => Effect.sync(() => void broken.push(`${call}: ${defect}`)))
          }
          assert.deepStrictEqual(broken, [])
        }),
      180_000
    )
  })
})
