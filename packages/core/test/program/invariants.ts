// What must be so when nothing is in progress, read from the shared state itself and not through any port.
import { expect } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { App, AppId, DeploymentId } from "../../src/domain/App.ts"
import { type DeploymentStatus, deploymentTransitions, isTerminal } from "../../src/domain/Deployment.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { carryOut } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { Replica } from "../../src/program/Replica.ts"
import type { ScriptedReplica } from "./scripted.ts"

/** Lets time pass, second by second, until a fiber ends, and answers how. */
export const driven = Effect.fnUntraced(function* <A, E>(fiber: Fiber.Fiber<A, E>, maxSeconds = 600) {
  for (let second = 0; fiber.pollUnsafe() === undefined; second++) {
    if (second > maxSeconds) return yield* Effect.die(new Error(`the fiber did not end within ${maxSeconds} s`))
    yield* TestClock.adjust("1 second")
  }
  return yield* Fiber.await(fiber)
})

/** Runs an effect while time passes, second by second. */
export const whileTimePasses = Effect.fnUntraced(function* <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  maxSeconds?: number
) {
  return yield* yield* driven(yield* Effect.forkDetach(effect), maxSeconds)
})

/** The names of the statuses that an App's Deployment went through, as its Events tell. */
export const statusesOf = (state: MemoryTables, deployment: DeploymentId): ReadonlyArray<string> =>
  state.events.filter((event) => event.subject === deployment).map((event) => event.type.replace("deployment.", ""))

/** What serves an App now. */
export const servingOf = (state: MemoryTables, app: AppId) => {
  const current = [...state.releases.values()].find(({ release }) => release.app === app && release.current)
  const address = state.routes.get(app)?.address
  const workload = [...state.workloads.values()].find((candidate) => candidate.address.port === address?.port)
  return { release: current?.release, deployment: current?.deployment, address, workload }
}

/** The names of what an App holds: intents that are not released, and Workloads that exist. */
export const heldBy = (state: MemoryTables, app: AppId) => ({
  intents: [...state.intents.values()].filter((row) => row.app === app && !row.released).map((row) => row.name),
  workloads: [...state.intents.values()]
    .filter((row) => row.app === app && state.workloads.has(row.name))
    .map((row) => row.name)
})

const isStatus = (name: string): name is DeploymentStatus => Object.hasOwn(deploymentTransitions, name)

/** Every Deployment went from status to status as the table allows, with one Event each and at most one terminal one. */
const expectLegalHistory = (state: MemoryTables, deployment: DeploymentId): void => {
  const statuses = statusesOf(state, deployment)
  const known = statuses.filter(isStatus)
  expect(known).toStrictEqual(statuses)
  expect(known[0]).toBe("queued")
  for (const [index, to] of known.entries()) {
    const from = known[index - 1]
    if (from !== undefined) expect(deploymentTransitions[from], `${from} to ${to}`).toContain(to)
  }
  expect(known.at(-1)).toBe(state.deployments.get(deployment)?.deployment.status)
}

/**
 * The App is whole: its current Release serves and owns everything. There is nothing else, and nothing at all without a
 * Release or when the App is not live.
 */
export const expectSettled = (state: MemoryTables, app: AppId): void => {
  const { release, deployment, address, workload } = servingOf(state, app)
  const held = heldBy(state, app)
  if (release === undefined || state.apps.get(app)?.app.status !== "live") {
    expect(held).toStrictEqual({ intents: [], workloads: [] })
    expect(address).toBeUndefined()
  } else {
    expect(workload, "the route leads to a workload that exists").toBeDefined()
    expect(workload?.image).toBe(release.image)
    const intent = [...state.intents.values()].find((row) => row.name === workload?.name)
    expect(intent?.work).toBe(deployment)
    expect(held).toStrictEqual({ intents: [workload?.name], workloads: [workload?.name] })
  }
  for (const row of state.deployments.values()) {
    if (row.deployment.app !== app) continue
    expectLegalHistory(state, row.deployment.id)
    expect(isTerminal(row.deployment.status), row.deployment.status).toBe(true)
    const made = [...state.releases.values()].filter((candidate) => candidate.deployment === row.deployment.id)
    expect(made.length, "a release is made by a healthy deployment and by no other").toBe(
      row.deployment.status === "healthy" ? 1 : 0
    )
    for (const { release } of made) expect(release.image).toBe(row.deployment.image)
  }
}

/** Of an App's Deployments no two were ever in progress at the same time, as the Events tell. */
export const expectOneAtATime = (state: MemoryTables, app: AppId): void => {
  let inProgress: string | undefined
  for (const { app: of, subject, type } of state.events) {
    const status = type.replace("deployment.", "")
    if (of !== app || !isStatus(status)) continue
    if (status === "building") {
      expect(inProgress, `${subject} begins while this one is in progress`).toBeUndefined()
      inProgress = subject
    } else if (isTerminal(status) && subject === inProgress) inProgress = undefined
  }
}

/** Takes the first queued Deployment, if there is one, and carries it out. */
export const takenFromQueue = Effect.gen(function* () {
  const { id: replica, terms } = yield* Replica
  const claim = yield* (yield* DeploymentStore).admit({ replica, terms })
  if (claim !== undefined) yield* carryOut(claim)
})

/** Lets every lease run out, and has another replica reap once. */
export const reapedLater = Effect.fnUntraced(function* (replica: ScriptedReplica) {
  yield* TestClock.adjust("1 minute")
  return yield* whileTimePasses(replica.run(reap()))
})

/** The newest Deployment of an App as it is stored. */
export const newest = Effect.fnUntraced(function* (app: App) {
  const state = yield* MemoryState
  const row = [...state.deployments.values()].findLast(({ deployment }) => deployment.app === app.id)
  return row ?? (yield* Effect.die(new Error("there is no deployment")))
})
