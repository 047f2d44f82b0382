// Replicas over the memory layers whose every call of a port waits until the scheduler of fast-check lets it go on, and is
// then judged by every rule. Time is the test's: it passes when somebody says so.

import { Context, Duration, Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import type * as fc from "fast-check"
import { learned, nothingKnown } from "../../../../test/harness/models/Known.ts"
import type { Rule } from "../../../../test/harness/models/Rule.ts"
import { RuleBroken } from "../../../../test/harness/models/Run.ts"
import type { Seen } from "../../../../test/harness/models/Seen.ts"
import { witnessed } from "../../../../test/harness/models/witness.ts"
import type { App, DeploymentId } from "../../src/domain/App.ts"
import { defaultLeaseTerms } from "../../src/domain/Lease.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { carryOut } from "../../src/program/deploy.ts"
import type { DispatcherPorts } from "../../src/program/Dispatcher.ts"
import { expire } from "../../src/program/expire.ts"
import { reap } from "../../src/program/reap.ts"
import { Replica } from "../../src/program/Replica.ts"
import { registeredTogether } from "../../src/testing/Fixture.ts"
import { expectSettled } from "../program/invariants.ts"
import type { Reaction } from "../../src/testing/Reaction.ts"
import { type ScriptedReplica, startReplica } from "../program/scripted.ts"
import type { MemoryPorts } from "../support/layerMemory.ts"
import { layerTables } from "./memoryPorts.ts"

/** What the calls of which wait. What is only read, and what is only said, goes on at once. */
const gated: ReadonlyArray<string> = [
  ...[
    "begin",
    "admit",
    "withdraw",
    "requestCancel",
    "renew",
    "built",
    "activate",
    "finish",
    "claimAbandoned",
    "serving"
  ].map((name) => `DeploymentStore.${name}`),
  ...["intend", "confirm", "released", "held", "unowned", "unknown"].map((name) => `Journal.${name}`),
  ...["build", "start", "inspect", "stop", "owned"].map((name) => `ContainerRuntime.${name}`),
  ...["mark", "setExpiry", "claimExpired", "ending", "settle"].map((name) => `AppStore.${name}`),
  ...["swap", "current", "drain", "remove"].map((name) => `Router.${name}`),
  "EnvStore.revise",
  "EnvStore.readAt",
  "SourceFetcher.fetch",
  "HealthProbe.probe"
]

/** Several replicas, their programs in progress, and the Apps that they are about. */
export interface Replicas {
  readonly apps: ReadonlyArray<App>
  /** Starts a program on one of the replicas and does not wait for it. */
  readonly start: <A, E>(replica: number, program: Effect.Effect<A, E, DispatcherPorts>) => Effect.Effect<void>
  /** Interrupts a program, counted from the newest, and does not wait for it. */
  readonly interrupt: (index: number) => Effect.Effect<void>
  /** Kills a replica and its programs; another one takes its place. */
  readonly kill: (replica: number) => Effect.Effect<void>
  /** Lets time pass. */
  readonly pass: (seconds: number) => Effect.Effect<unknown>
  /** Lets time pass until everything has ended that can end, and checks what is left. */
  readonly settle: Effect.Effect<void, RuleBroken>
}

/** Waits until nothing goes on that waits neither for the scheduler nor for time. */
const quiet = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn++) await new Promise<void>((resolve) => void setImmediate(resolve))
}

/** A call waits for its turn. The next turn begins when this one has gone on as far as it can. */
const inTurn = (scheduler: fc.Scheduler, label: string, isKilled: () => boolean): Reaction => {
  const turn = Effect.callback<void>((resume) => {
    const builder = async () => {
      resume(Effect.void)
      await quiet()
    }
    scheduler.scheduleSequence([{ label, builder }])
  })
  return (call) =>
    Effect.andThen(
      turn,
      Effect.suspend(() => (isKilled() ? Effect.never : call))
    )
}

const ttlSeconds = Duration.toSeconds(defaultLeaseTerms.ttl)

/** The Deployments whose leases begin anew with a call. */
const leased = (seen: Seen): ReadonlyArray<DeploymentId> => {
  if (seen.call === "renew") return seen.refusal === undefined ? [seen.claim.deployment.id] : []
  if (seen.call === "claimAbandoned") return (seen.value ?? []).map(({ deployment }) => deployment.id)
  return seen.call === "admit" && seen.value !== undefined ? [seen.value.deployment.id] : []
}

/** Judges calls as they are heard. Leases that ran out are told to the rules as calls of their own. */
const makeJury = (rules: ReadonlyArray<Rule>) => {
  const objections: Array<string> = []
  const leases = new Map<DeploymentId, number>()
  let known = nothingKnown
  let present = rules
  let now = 0

  const hear = (seen: Seen): void => {
    known = learned(known, seen)
    for (const id of leased(seen)) leases.set(id, now + ttlSeconds)
    present = present.map((rule) => {
      const next = rule.next(seen, true)
      if (typeof next !== "string") return next
      objections.push(`${rule.id}: ${next}`)
      return rule
    })
  }

  const tick = (): void => {
    now++
    for (const [deployment, until] of leases) {
      if (until <= now) hear({ call: "lapse", deployment, value: undefined, refusal: undefined })
    }
  }

  const verdict = Effect.gen(function* () {
    if (objections.length > 0) return objections
    const found = yield* Effect.forEach(present, (rule) =>
      Effect.map(rule.look(known), (view) => [rule.difference(view), rule.unsettled()])
    )
    return found.flat().filter((reason) => reason !== undefined)
  })

  return { hear, tick, verdict }
}

/** Starts two replicas over fresh ports, with three Apps of one Tenant and one of another. */
export const startReplicas = Effect.fnUntraced(function* (
  layer: Layer.Layer<MemoryPorts>,
  scheduler: fc.Scheduler,
  rules: ReadonlyArray<Rule>
) {
  const ports = yield* Layer.build(
    Layer.fresh(Layer.mergeAll(Layer.provideMerge(layerTables, layer), TestClock.layer(), Logger.layer([])))
  )
  const jury = makeJury(rules)
  const inWorld = Effect.provideContext(Context.merge(ports, witnessed(ports, jury.hear)))

  let count = 0
  const fresh = Effect.gen(function* () {
    const replica = yield* startReplica(`replica-${count++}`)
    const isKilled = () => replica.script.crashed
    for (const name of gated) replica.script.reactions.set(name, inTurn(scheduler, `${replica.id} ${name}`, isKilled))
    return replica
  })

  const [apps, replicas] = yield* inWorld(
    Effect.all([
      Effect.map(Effect.forEach([3, 1], registeredTogether), (apps) => apps.flat()),
      Effect.all([fresh, fresh])
    ])
  )
  const programs: Array<{ readonly fiber: Fiber.Fiber<unknown, unknown>; readonly replica: ScriptedReplica }> = []

  const start: Replicas["start"] = (index, program) =>
    Effect.gen(function* () {
      const replica = replicas[index]
      if (replica === undefined) return
      programs.push({ replica, fiber: yield* inWorld(Effect.forkDetach(Effect.exit(replica.run(program)))) })
      yield* Effect.promise(quiet)
    })

  const interrupt: Replicas["interrupt"] = (index) =>
    Effect.gen(function* () {
      const program = programs.at(-1 - index)
      if (program !== undefined) yield* Effect.forkDetach(Fiber.interrupt(program.fiber))
      yield* Effect.promise(quiet)
    })

  const kill: Replicas["kill"] = (index) =>
    Effect.gen(function* () {
      const replica = replicas[index]
      if (replica === undefined) return
      replica.script.crashed = true
      replicas[index] = yield* inWorld(fresh)
    })

  const second = Effect.gen(function* () {
    yield* inWorld(TestClock.adjust("1 second"))
    jury.tick()
    yield* Effect.promise(quiet)
  })

  const pass = (seconds: number) => Effect.repeat(second, { times: seconds - 1 })

  const isAtWork = () =>
    programs.some(({ fiber, replica }) => !replica.script.crashed && fiber.pollUnsafe() === undefined)

  /** Does once a minute what every server does, until several minutes brought nothing that is still at work. */
  const settle = Effect.gen(function* () {
    for (let seconds = 0; seconds < 240 || isAtWork(); seconds++) {
      if (seconds > 1_200) return yield* new RuleBroken({ reason: "a program does not end" })
      if (seconds % 60 === 0 && seconds < 240) yield* start(0, reap())
      if (seconds % 60 === 0 && seconds < 240) yield* start(0, carryOutAll)
      if (seconds % 60 === 0 && seconds < 240) yield* start(0, expire())
      yield* Effect.promise(() => scheduler.waitIdle())
      yield* second
    }
    const [reason] = yield* Effect.provideContext(Effect.orDie(jury.verdict), ports)
    if (reason !== undefined) return yield* new RuleBroken({ reason })
    const state = Context.get(ports, MemoryState)
    for (const app of apps) expectSettled(state, app.id)
  })

  const started: Replicas = { apps, start, interrupt, kill, pass, settle }
  return started
})

/** Carries out whatever waits, one after the other. */
const carryOutAll = Effect.gen(function* () {
  const store = yield* DeploymentStore
  const { id: replica, terms } = yield* Replica
  for (let claim = yield* store.admit({ replica, terms }); claim !== undefined;) {
    yield* carryOut(claim)
    claim = yield* store.admit({ replica, terms })
  }
})
