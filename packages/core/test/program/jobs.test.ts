// Jobs as programs: carried out, ended, cancelled, handed back and taken over, with nothing left behind.
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { App } from "../../src/domain/App.ts"
import type { Job } from "../../src/domain/Job.ts"
import { Command, WorkloadName } from "../../src/domain/Workload.ts"
import { CheckpointStore } from "../../src/port/CheckpointStore.ts"
import type { JobRequest } from "../../src/port/JobRequest.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { beginJob } from "../../src/program/beginJob.ts"
import { carryOutJob } from "../../src/program/carryOutJob.ts"
import { deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { asked, registered, revised } from "../../src/testing/Fixture.ts"
import * as Jobs from "../../src/testing/JobFixture.ts"
import { fails, hangs, loses } from "../../src/testing/Reaction.ts"
import { crashes, crashesAfter, type ScriptedReplica, startReplica, world } from "./scripted.ts"

const command = (...argv: readonly [string, ...ReadonlyArray<string>]) => ({
  ...Jobs.echo,
  command: Command.make(argv)
})

/** An App with a current Release, deployed by a replica. */
const released = Effect.fnUntraced(function* ({ run }: ScriptedReplica) {
  const app = yield* registered()
  yield* revised(app, { TOKEN: "the-secret-of-the-app" })
  expect(yield* run(deploy(asked(app)))).toMatchObject({ status: "healthy" })
  return app
})

/** Begins a Job that runs at once. */
const claimed = Effect.fnUntraced(function* (replica: ScriptedReplica, app: App, more: Partial<JobRequest> = {}) {
  const task = more.task ?? Jobs.echo
  const { claim } = yield* replica.run(beginJob({ of: { app: app.id }, task, items: more.items, onFull: "reject" }))
  return claim ?? expect.fail("a job that does not run at once")
})

/** What is left of a Job: containers, intents and Slots. */
const left = Effect.fnUntraced(function* (app: App) {
  const { intents, workloads } = yield* MemoryState
  const { running } = yield* (yield* DeploymentStore).usage(app.tenant)
  const open = [...intents.values()].filter(({ released, work }) => !released && work.startsWith("job_"))
  const names = [...workloads.keys()].filter((name) => name.startsWith("job_"))
  return { intents: open.length, containers: names.length, slots: running }
})

const nothing = { intents: 0, containers: 0, slots: 0 }

const said = Effect.fnUntraced(function* ({ id }: Job) {
  const { logs } = yield* MemoryState
  return (logs.get(`job/${id}`)?.lines ?? []).map(({ line }) => line)
})

describe("a command", () => {
  it.effect("X10: runs in the release that serves, says what it does, and leaves nothing", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const claim = yield* claimed(replica, app, { task: command("echo", "the-secret-of-the-app") })
      const job = yield* replica.run(carryOutJob(claim))
      expect(job).toMatchObject({ status: "succeeded", exitCode: 0, attempt: 1 })
      expect(yield* left(app)).toStrictEqual(nothing)
      const lines = (yield* said(job)).join("\n")
      expect(lines).toContain("succeeded with code 0")
      expect(lines).not.toContain("the-secret")
    }).pipe(Effect.provide(world))
  )

  it.effect("K3: that fails makes its job fail with its code, and frees its slot", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const job = yield* replica.run(carryOutJob(yield* claimed(replica, app, { task: command("false") })))
      expect(job).toMatchObject({ status: "failed", exitCode: 1 })
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H8: that takes too long is ended, and its job has failed without a code", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const claim = yield* claimed(replica, app, { task: { ...command("sleep", "1000"), timeoutSeconds: 90 } })
      const fiber = yield* Effect.forkDetach(replica.run(carryOutJob(claim)))
      yield* TestClock.adjust("89 seconds")
      expect((yield* (yield* JobStore).get(claim.job.id)).status).toBe("running")
      yield* TestClock.adjust("2 seconds")
      const job = yield* Fiber.join(fiber)
      expect(job).toMatchObject({ status: "failed", exitCode: null })
      expect((yield* said(job)).join()).toContain("took longer than 1m 30s")
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: that is cancelled by anybody ends within a second, and its job is cancelled", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const claim = yield* claimed(replica, app, { task: command("sleep", "1000") })
      const fiber = yield* Effect.forkDetach(replica.run(carryOutJob(claim)))
      yield* TestClock.adjust("10 seconds")
      yield* (yield* JobStore).requestCancel(claim.job.id)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "cancelled", exitCode: null })
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H45: that is interrupted with its server is given back, and runs on another one", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const app = yield* released(one)
      const claim = yield* claimed(one, app, { task: command("sleep", "1000") })
      const fiber = yield* Effect.forkDetach(one.run(carryOutJob(claim)))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      expect(yield* (yield* JobStore).get(claim.job.id)).toMatchObject({ status: "queued", queuePosition: 1 })
      expect(yield* left(app)).toStrictEqual(nothing)
      const [next] = yield* two.run(
        Effect.flatMap(JobStore, (jobs) => jobs.admit({ replica: two.id, terms: claimTerms }, 1))
      )
      expect(next?.job.id).toBe(claim.job.id)
    }).pipe(Effect.provide(world))
  )
})

describe("what a job needs", () => {
  it.effect("H24 INV-7: an engine that is away makes it fail with the reason in its log, and nothing is left", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      replica.script.reactions.set("ContainerRuntime.run#1", fails)
      const job = yield* replica.run(carryOutJob(yield* claimed(replica, app)))
      expect(job).toMatchObject({ status: "failed", exitCode: null })
      expect((yield* said(job)).join()).toContain("a failpoint")
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    { what: "fails", reaction: fails },
    { what: "loses its answer", reaction: loses }
  ])("E9 INV-1: a store that $what three times in a row holds up its end, and changes nothing of it", ({ reaction }) =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const claim = yield* claimed(replica, app)
      for (const nth of [1, 2, 3]) replica.script.reactions.set(`JobStore.finish#${nth}`, reaction)
      const fiber = yield* Effect.forkDetach(replica.run(carryOutJob(claim)))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded", exitCode: 0 })
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )
})

const claimTerms = { ttl: Duration.seconds(15), renewEvery: Duration.seconds(4) }

describe("a batch", () => {
  it.effect("K6: whose item would have the name of something else records name_conflict, and leaves that alone", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const claim = yield* claimed(replica, app, { task: command("env"), items: Jobs.inputs("a", "b", "c") })
      const { workloads } = yield* MemoryState
      const [serving] = [...workloads.values()]
      const name = WorkloadName.make(`${claim.job.id}-${claim.fence}-2`)
      const foreign = { ...(serving ?? expect.fail("nothing serves")), name }
      workloads.set(name, foreign)
      const job = yield* replica.run(carryOutJob(claim))
      expect(job).toMatchObject({ status: "failed", items: { total: 3, done: 2, failed: 1 } })
      const { items } = yield* (yield* CheckpointStore).items(job.id, { limit: 3 })
      expect(items[1]).toMatchObject({ status: "failed", exitCode: null, result: '{"code":"name_conflict"}' })
      expect(workloads.get(name)).toBe(foreign)
      workloads.delete(name)
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H13: performs each item once, as many at once as it may, and fails when one does", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const items = Jobs.inputs("a", "b", "c")
      const claim = yield* claimed(replica, app, { task: command("env"), items })
      const job = yield* replica.run(carryOutJob(claim))
      expect(job).toMatchObject({ status: "succeeded", exitCode: 0, items: { total: 3, done: 3, failed: 0 } })
      const lines = yield* said(job)
      const told = ["a", "b", "c"].map((item) => `LOCKKEEPER_ITEM=${item}`)
      expect(lines.filter((line) => told.includes(line)).sort()).toStrictEqual(told)
      const bad = yield* replica.run(carryOutJob(yield* claimed(replica, app, { task: command("false"), items })))
      expect(bad).toMatchObject({ status: "failed", exitCode: 1, items: { total: 3, done: 0, failed: 3 } })
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("K5: that stops at a failure starts nothing more", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const task = { ...command("false"), itemConcurrency: 1, onItemFailure: "stop" as const }
      const job = yield* replica.run(
        carryOutJob(yield* claimed(replica, app, { task, items: Jobs.inputs("a", "b", "c") }))
      )
      expect(job).toMatchObject({ status: "failed", items: { total: 3, done: 0, failed: 1 } })
    }).pipe(Effect.provide(world))
  )
})

describe("a server that is killed", () => {
  const points = ["JobStore.finish", "Journal.intend", "Journal.confirm", "Journal.released", "ContainerRuntime.run"]
  const kills = points.flatMap((point) => [
    { point, when: "before", reaction: crashes },
    { point, when: "after", reaction: crashesAfter }
  ])
  it.effect.each(kills)(
    "INV-1 INV-7 H45: $when $point leaves a job that another one carries to its end",
    ({ point, reaction }) =>
      Effect.gen(function* () {
        const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
        const app = yield* released(one)
        const claim = yield* claimed(one, app)
        one.script.reactions.set(point, reaction(one.script))
        yield* Effect.forkDetach(one.run(carryOutJob(claim)))
        yield* TestClock.adjust("20 seconds")
        yield* two.run(reap())
        const jobs = yield* JobStore
        const seen = yield* jobs.get(claim.job.id)
        if (seen.status === "queued") {
          const [next] = yield* jobs.admit({ replica: two.id, terms: claimTerms }, 1)
          yield* two.run(carryOutJob(next ?? expect.fail("a job that waits is not admitted")))
        }
        expect(yield* jobs.get(claim.job.id)).toMatchObject({ status: "succeeded", exitCode: 0, attempt: 1 })
        yield* two.run(reap())
        expect(yield* left(app)).toStrictEqual(nothing)
      }).pipe(Effect.provide(world))
  )

  it.effect("K5: does what is left of a batch, and repeats nothing that was recorded", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const app = yield* released(one)
      const task = { ...command("env"), itemConcurrency: 1 }
      const claim = yield* claimed(one, app, { task, items: Jobs.inputs("a", "b", "c", "d") })
      one.script.reactions.set("CheckpointStore.record#3", crashesAfter(one.script))
      yield* Effect.forkDetach(one.run(carryOutJob(claim)))
      yield* TestClock.adjust("20 seconds")
      yield* two.run(reap())
      const [next] = yield* (yield* JobStore).admit({ replica: two.id, terms: claimTerms }, 1)
      const job = yield* two.run(carryOutJob(next ?? expect.fail("a batch that waits is not admitted")))
      expect(job).toMatchObject({ status: "succeeded", items: { total: 4, done: 4, failed: 0 } })
      const runs = ({ script }: ScriptedReplica) =>
        script.calls.filter((call) => call.startsWith("ContainerRuntime.run"))
      expect([runs(one).length, runs(two).length]).toStrictEqual([3, 1])
      const { items } = yield* (yield* CheckpointStore).items(job.id, { limit: 10 })
      expect(items.map(({ exitCode }) => exitCode)).toStrictEqual([0, 0, 0, 0])
    }).pipe(Effect.provide(world))
  )

  it.effect("B6: again and again makes its job fail in the end", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* released(replica)
      const jobs = yield* JobStore
      const { job } = yield* claimed(replica, app)
      for (const expected of ["queued", "queued", "queued", "failed"]) {
        yield* TestClock.adjust("20 seconds")
        yield* replica.run(reap())
        expect((yield* jobs.get(job.id)).status).toBe(expected)
        yield* jobs.admit({ replica: replica.id, terms: claimTerms }, 1)
      }
      expect(yield* left(app)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13: that comes back finds its lease lost, and changes nothing", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const app = yield* released(one)
      const claim = yield* claimed(one, app, { task: command("sleep", "1000") })
      one.script.reactions.set("JobStore.renew", hangs)
      const fiber = yield* Effect.forkDetach(one.run(carryOutJob(claim)))
      yield* TestClock.adjust("16 seconds")
      yield* two.run(reap())
      const [next] = yield* (yield* JobStore).admit({ replica: two.id, terms: claimTerms }, 1)
      expect(next?.fence).toBeGreaterThan(claim.fence)
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "running" })
      expect(yield* (yield* JobStore).get(claim.job.id)).toMatchObject({ status: "running" })
    }).pipe(Effect.provide(world))
  )
})
