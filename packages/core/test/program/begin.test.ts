// The one way in which a Deployment begins: nobody goes round it, what it comes to is counted, and a store that fails starts
// nothing.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { AppId, ReleaseId } from "../../src/domain/App.ts"
import { DeliveryId } from "../../src/domain/Deployment.ts"
import { Revision } from "../../src/domain/Env.ts"
import type { DeploymentRequest } from "../../src/port/DeploymentRequest.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { begin } from "../../src/program/begin.ts"
import { deploy } from "../../src/program/deploy.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { fails } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

/** How often each outcome was counted. */
const counted = Effect.map(Metric.snapshot, (metrics) =>
  Object.fromEntries(
    metrics.flatMap(({ attributes, id, state }) =>
      id === "lockkeeper_deployments_begun_total" && "count" in state
        ? [[`${attributes?.["trigger"]} ${attributes?.["outcome"]}`, Number(state.count)]]
        : []
    )
  )
)

const packages = fileURLToPath(new URL("../../..", import.meta.url))

const sources = readdirSync(packages, { recursive: true, encoding: "utf8" })
  .filter((file) => /^[^/]+\/src\/.*\.ts$/.test(file) && !file.includes("/testing/"))
  .map((file) => ({ file, text: readFileSync(`${packages}/${file}`, "utf8") }))

describe("beginning a Deployment", () => {
  it("R2 B1 B2: is done in one place, whatever asks for it", () => {
    const callers = sources
      .filter(({ text }) => /\b(?:store|deployments)\s*\.begin\(/.test(text))
      .map(({ file }) => file)
    // The other one only passes on what it is asked, and gives a Hint.
    expect(callers.sort()).toStrictEqual(["core/src/port/hinted.ts", "core/src/program/begin.ts"])
    const entries = sources.filter(({ text }) =>
      /import \{[^}]*\bbegin\b[^}]*\} from "[^"]*\/begin(?:\.ts)?"/.test(text)
    )
    expect(entries.map(({ file }) => file).sort()).toStrictEqual([
      "adapter-http/src/handlers/apps.ts",
      "adapter-http/src/handlers/deployments.ts",
      "core/src/program/deploy.ts",
      "core/src/program/rollback.ts"
    ])
  })

  it("K2: is done in one place for Jobs too, and a Slot is taken in two: by a Deployment and by a Job", () => {
    const filesWith = (pattern: RegExp) =>
      sources
        .filter(({ text }) => pattern.test(text))
        .map(({ file }) => file)
        .sort()
    expect(filesWith(/\bjobs\s*\.(?:begin|rerun)\(/)).toStrictEqual([
      "core/src/port/hinted.ts",
      "core/src/program/beginJob.ts"
    ])
    expect(filesWith(/import \{[^}]*\b(?:beginJob|rerunJob)\b[^}]*\} from "[^"]*\/beginJob(?:\.ts)?"/)).toStrictEqual([
      "adapter-http/src/handlers/jobs.ts",
      "core/src/program/beginRun.ts",
      "core/src/program/runBatch.ts",
      "core/src/program/withSlot.ts"
    ])
    expect(filesWith(/insert into slots/)).toStrictEqual([
      "adapter-postgres/src/internal/claims.ts",
      "adapter-postgres/src/internal/jobRows.ts"
    ])
  })

  it.effect("R8: counts each outcome under its own label", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const app = yield* registered()
      const bare = yield* registered({ source: undefined })
      const stopped = yield* registered()
      yield* (yield* AppStore).mark(stopped.id, "stopped")
      const delivered = asked(app, { trigger: { kind: "webhook", deliveryId: DeliveryId.make("d1") } })
      const requests: ReadonlyArray<readonly [string, DeploymentRequest]> = [
        ["webhook begun", delivered],
        ["webhook repeated", delivered],
        ["manual deployment_in_progress", asked(app, { policy: "reject" })],
        ["manual no_source", asked(bare)],
        ["manual app_not_live", asked(stopped)],
        ["manual revision_mismatch", asked(yield* registered(), { minEnvRevision: Revision.make(9) })],
        ["redeploy no_release", asked(bare, { trigger: { kind: "redeploy" }, release: ReleaseId.make("rel_none") })],
        ["start app_not_stopped", asked(bare, { trigger: { kind: "start" }, release: "current" })],
        ["manual app_gone", { app: AppId.make("app_none"), trigger: { kind: "manual" } }]
      ]
      for (const [label, request] of requests) {
        const before = (yield* counted)[label] ?? 0
        yield* Effect.exit(replica.run(begin(request)))
        expect([label, (yield* counted)[label]]).toStrictEqual([label, before + 1])
      }
    }).pipe(Effect.provide(world))
  )

  it.effect("R3: starts nothing when the store fails, and says so", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const replica = yield* startReplica("one")
      const app = yield* registered()
      replica.script.reactions.set("DeploymentStore.begin", fails)
      const before = (yield* counted)["manual store_failed"] ?? 0
      expect((yield* Effect.flip(replica.run(deploy(asked(app)))))._tag).toBe("StoreError")
      expect((yield* counted)["manual store_failed"]).toBe(before + 1)
      expect([state.deployments.size, state.workloads.size, state.intents.size]).toStrictEqual([0, 0, 0])
    }).pipe(Effect.provide(world))
  )
})
