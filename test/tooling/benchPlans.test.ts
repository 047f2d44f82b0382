// What the benchmark of Jobs learns from two recordings of what a store sends, and sends on in its place.

import { assert, describe, it, layer } from "@effect/vitest"
import { apply } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import { layerClient } from "@lockkeeper/adapter-postgres/layer"
import { Cause, Effect, Exit, Layer } from "effect"
import { Cluster } from "../../bench/env/cluster.ts"
import type { Sent } from "../../bench/deploy/replay.ts"
import { recorded } from "../../bench/jobs/cases/admission.ts"
import { tenantsOf, tracesAfter, tracesOf } from "../../bench/jobs/ground.ts"
import { paramsOf, planOf, sender } from "../../bench/jobs/plan.ts"
import { scriptOf } from "../../bench/jobs/script.ts"
import * as Database from "../harness/database.ts"

const recordingOf = (slot: number, job: string, count = 10): ReadonlyArray<Sent> => [
  { text: "where it stands", params: [JSON.stringify(["acme-0"]), 1], rows: [{ free: [slot], taken: slot - 1 }] },
  { text: "insert", params: [JSON.stringify([{ slot, at: "12:30", key: null }])], rows: [{ id: job, at: [] }] },
  { text: "finish", params: [JSON.stringify([{ id: job, fence: 1 }]), job, "acme-0", count], rows: [] }
]

const answer = (...rows: ReadonlyArray<object>) => ({ text: "", params: [], rows })

describe("plans of the benchmark", () => {
  it.effect("put a document together from what was answered, of the subject of who sends it", () =>
    Effect.gen(function* () {
      const plan = yield* planOf("acme-0", recordingOf(2, "job_a"), recordingOf(3, "job_b", 11))
      const answers = [answer({ free: [7, 8], taken: 3 }), answer({ id: "job_z", at: [] })]
      assert.deepStrictEqual(
        plan.map((step) => paramsOf(step, "umbrella-9", 5, answers)),
        [
          ['["umbrella-9"]', 1],
          ['[{"slot":7,"at":"12:30","key":null}]'],
          ['[{"id":"job_z","fence":1}]', "job_z", "umbrella-9", 5]
        ]
      )
    })
  )

  const inserting = (...params: ReadonlyArray<string>): ReadonlyArray<Sent> => [{ text: "insert", params, rows: [] }]

  it.effect.each([
    { before: recordingOf(2, "job_a"), last: inserting('[{"slot":3}]') },
    { before: inserting('[{"slot":2}]'), last: inserting('[{"slot":3}]') },
    { before: inserting("[2]"), last: inserting("[2,2]") },
    { before: [], last: [] }
  ])("are not made up where nobody knows what comes next", ({ before, last }) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(planOf("acme-0", before, last))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )
})

const surroundings = Layer.unwrap(
  Effect.map(Database.TestDatabase, ({ url }) =>
    Layer.mergeAll(
      layerClient({ url, maxConnections: 4 }),
      Layer.succeed(Cluster, Cluster.of({ url, secretKey: new Uint8Array(32), directory: "" }))
    )
  )
).pipe(Layer.provide(Database.layer))

layer(surroundings, { excludeTestServices: true })("the plan of an admission", (it) => {
  it.effect("leaves the same behind as the store: Jobs that have ended, their Events, and no Slot taken", () =>
    Effect.gen(function* () {
      yield* apply()
      const plan = yield* recorded
      const [tenant = ""] = yield* tenantsOf("sent", 1, 1)
      const send = sender(plan, tenant)
      yield* Effect.andThen(send, send)
      assert.deepStrictEqual(yield* tracesOf("sent"), tracesAfter(2))
    })
  )

  it.effect("puts documents together in a script for pgbench, in which nothing else is taken for a variable", () =>
    Effect.gen(function* () {
      const texts = ["select array[1] as free", "select $1::jsonb as made", "select $1::text as held"]
      const sent = (slot: number, job: string) =>
        recordingOf(slot, job).map(({ params, rows }, index) => ({
          text: texts[index] ?? "",
          params: index === 0 ? [] : params.slice(0, 1),
          rows
        }))
      const plan = yield* planOf("acme-0", sent(2, "job_a"), sent(3, "job_b"))
      const lines = (yield* scriptOf(plan, "'a'")).split("\n")
      assert.deepStrictEqual(lines, [
        "\\if :ready = 0",
        `select 'a' as subject, e'[{"slot"\\x3a' as v1_0_0, e',"at"\\x3a"12\\x3a30","key"\\x3anull}]' as v1_0_2, e'[{"id"\\x3a"' as v2_0_0, e'","fence"\\x3a1}]' as v2_0_2 \\gset`,
        "\\set ready 1",
        "\\endif",
        "select array[1] as free \\gset a0_",
        "select concat(:v1_0_0::text, split_part(btrim(:a0_free::text, '{}'), ',', 1)::text, :v1_0_2::text)::jsonb::jsonb as made \\gset a1_",
        "select concat(:v2_0_0::text, :a1_id::text, :v2_0_2::text)::text::text as held;",
        ""
      ])
    })
  )
})
