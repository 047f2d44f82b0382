// What is said of why a Deployment is where it is: as its store knows it, in one value and one sentence.
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { DeploymentId } from "../../src/domain/App.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { explain } from "../../src/program/explain.ts"
import * as Given from "../../src/testing/Fixture.ts"
import { layerMemory } from "../support/layerMemory.ts"

const said = Effect.fnUntraced(function* (deployment: DeploymentId) {
  const { detail, why } = yield* explain(deployment)
  return [why, detail]
})

describe("X5 explain", () => {
  it.effect("says of a queued Deployment whether it waits for a Slot or for another of its App, and the numbers", () =>
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const [one, other] = yield* Given.registeredTogether(2)
      if (one === undefined || other === undefined) return expect.unreachable("two Apps")
      yield* deployments.setCap(one.tenant, 1)
      const running = yield* Given.claimed(one)
      yield* TestClock.adjust("1 minute")
      const behind = yield* Given.begun(one, { policy: "queue" })
      const waiting = yield* Given.begun(other)
      expect(yield* explain(behind.id)).toStrictEqual({
        why: "waiting_for_deployment",
        deployment: behind.id,
        since: behind.createdAt,
        detail: `it waits for ${running.deployment.id}, which is in progress for the same app`,
        activeDeployment: running.deployment.id
      })
      expect(yield* explain(waiting.id)).toStrictEqual({
        why: "waiting_for_slot",
        deployment: waiting.id,
        since: waiting.createdAt,
        detail: `it waits for one of the 1 slots of tenant ${one.tenant}, at place 2; 1 in use`,
        tenant: one.tenant,
        limit: 1,
        running: 1,
        position: 2
      })
      yield* deployments.setCap(one.tenant, null)
      expect(yield* said(waiting.id)).toStrictEqual([
        "waiting_for_slot",
        `it waits for a slot of tenant ${one.tenant}, at place 2; 1 in use`
      ])
      yield* deployments.finish(running, { status: "cancelled" })
      expect(yield* said(behind.id)).toStrictEqual([
        "waiting_for_slot",
        `it waits for a slot of tenant ${one.tenant}, at place 1; 0 in use`
      ])
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("says of one in progress in which step, on which replica and until when its lease is", () =>
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered())
      const { id, startedAt } = claim.deployment
      const found = yield* explain(id)
      expect(found).toMatchObject({ why: "in_progress", step: "building", replica: claim.replica, since: startedAt })
      expect(found).toMatchObject({ leaseLost: false, detail: `it is building on ${claim.replica}` })
      yield* deployments.built(claim, yield* Given.freshImage, null)
      expect(yield* explain(id)).toMatchObject({ why: "in_progress", step: "deploying" })
      yield* deployments.activate(claim)
      expect(yield* explain(id)).toMatchObject({ why: "in_progress", step: "switching" })
      yield* TestClock.adjust("11 minutes")
      const lost = `it is switching on ${claim.replica}, which lost its lease`
      expect(yield* explain(id)).toMatchObject({ why: "in_progress", leaseLost: true, detail: lost })
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("says of one that was asked to stop how it is to end, and of one that has ended how it did and why", () =>
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.deploying(yield* Given.registered())
      const { id } = claim.deployment
      yield* deployments.requestCancel(id)
      const found = yield* explain(id)
      expect(found).toMatchObject({ why: "stopping", as: "cancelled", step: "deploying", replica: claim.replica })
      expect(found.detail).toBe(`it was asked to end cancelled and is deploying on ${claim.replica}`)
      yield* deployments.finish(claim, { status: "cancelled" })
      expect(yield* said(id)).toStrictEqual(["ended", "it ended cancelled"])

      const other = yield* Given.claimed(yield* Given.registered())
      yield* deployments.finish(other, Given.endings[0])
      expect(yield* explain(other.deployment.id)).toMatchObject({
        why: "ended",
        status: "failed",
        error: { code: "build_failed" },
        detail: "it ended failed, build_failed: the build failed"
      })
      const { deployment } = yield* Given.deployed(yield* Given.registered())
      const { finishedAt, release } = deployment
      expect(yield* explain(deployment.id)).toMatchObject({
        status: "healthy",
        release,
        error: null,
        since: finishedAt
      })
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("knows nothing of one that is not there", () =>
    Effect.gen(function* () {
      const id = yield* Given.unknownDeployment
      expect(yield* Effect.flip(explain(id))).toMatchObject({ _tag: "DeploymentNotFound", deployment: id })
    }).pipe(Effect.provide(layerMemory))
  )
})
