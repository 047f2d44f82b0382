// What an Item does outside, under its name: done once, whatever is cut off or lost, and never to what is somebody else's.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { Item } from "../../src/domain/Job.ts"
import { JobKey } from "../../src/port/JobRequest.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { adoptOrMake, type Borne, type NamedEffect } from "../../src/program/adoptOrMake.ts"
import { type BatchItem, runBatch } from "../../src/program/runBatch.ts"
import { freshTenant } from "../../src/testing/Fixture.ts"
import { startReplica, world } from "./scripted.ts"

interface Thing {
  readonly owner: string
  readonly value: number
}

/** A place where things have names and owners. `react` is asked at each making. */
const makePlace = (react: (name: string) => "make" | "refuse" | "lose" = () => "make") => {
  const things = new Map<string, Thing>()
  let made = 0
  const clone: NamedEffect<number, string, never> = {
    find: (name) =>
      Effect.sync((): Borne<number> => {
        const thing = things.get(name)
        if (thing === undefined) return { _tag: "Nothing" }
        return thing.owner === "ours" ? { _tag: "Ours", value: thing.value } : { _tag: "Foreign" }
      }),
    make: (name) =>
      Effect.suspend(() => {
        const reaction = react(name)
        if (things.has(name)) return Effect.fail("the name is in use")
        if (reaction === "refuse") return Effect.fail("no answer")
        things.set(name, { owner: "ours", value: ++made })
        return reaction === "lose" ? Effect.fail("no answer") : Effect.succeed(made)
      })
  }
  return { things, clone, count: () => made }
}

const undone = (item: Item): Item => ({ ...item, status: "pending", exitCode: null, result: null, finishedAt: null })

/** Forgets what is done of every Batch, and that it ended well. */
const forget = Effect.map(MemoryState, ({ jobs }) => {
  for (const row of jobs.values()) {
    row.items.forEach((item, index) => (row.items[index] = undone(item)))
    row.job = { ...row.job, status: "failed" }
  }
})

const batchOf = Effect.map(freshTenant, (tenant) => ({
  tenant,
  key: JobKey.make("clones"),
  items: ["a", "b", "c"],
  result: Schema.Number
}))

describe("what an item makes under its name", () => {
  it.effect("K6: is adopted when its checkpoint was lost: the same is answered, and nothing is made twice", () =>
    Effect.gen(function* () {
      const { run } = yield* startReplica("one")
      const { clone, count, things } = makePlace()
      const batch = yield* batchOf
      const perform = ({ name }: BatchItem) => adoptOrMake(name, clone)
      const first = yield* run(runBatch(batch, perform))
      yield* forget
      expect(yield* run(runBatch(batch, perform))).toStrictEqual(first)
      expect([count(), things.size]).toStrictEqual([3, 3])
    }).pipe(Effect.provide(world))
  )

  it.effect(
    "K6: that is somebody else's ends the item with name_conflict, is left alone, and holds up no other item",
    () =>
      Effect.gen(function* () {
        const { run } = yield* startReplica("one")
        const { clone, count, things } = makePlace()
        const batch = yield* batchOf
        const foreign: Thing = { owner: "somebody else", value: 42 }
        const perform = ({ name, number }: BatchItem) => {
          if (number === 2) things.set(name, foreign)
          return adoptOrMake(name, clone)
        }
        const results = yield* run(runBatch(batch, perform))
        expect(results.map(({ status }) => status)).toStrictEqual(["done", "failed", "done"])
        expect(results[1]).toMatchObject({ error: expect.stringMatching(/name_conflict: job_\w+-2/) })
        expect([count(), [...things.values()].filter(({ owner }) => owner !== "ours")]).toStrictEqual([2, [foreign]])
      }).pipe(Effect.provide(world))
  )

  it.effect("K6: whose making was not answered is looked for once more, and what is not there is a failure", () =>
    Effect.gen(function* () {
      const lost = makePlace(() => "lose")
      expect(yield* adoptOrMake("x", lost.clone)).toBe(1)
      const refused = makePlace(() => "refuse")
      expect(yield* Effect.flip(adoptOrMake("x", refused.clone))).toBe("no answer")
      const overtaken = makePlace()
      const late: typeof overtaken.clone = {
        ...overtaken.clone,
        make: (name) => {
          overtaken.things.set(name, { owner: "somebody else", value: 0 })
          return overtaken.clone.make(name)
        }
      }
      expect(yield* Effect.flip(adoptOrMake("x", late))).toMatchObject({ _tag: "NameConflict", code: "name_conflict" })
    })
  )
})
