// What a store of Envs keeps of what was: every Revision can be read, each change is in the history and in one Event, and
// which Revision is deployed is known. A part of EnvStoreContract.
import { Effect, Result } from "effect"
import type { Cursor, Page } from "../domain/Page.ts"
import type { AppStore } from "../port/AppStore.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore, type RevisionEntry } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, law } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

/** The laws of {@link EnvStore} about what was. */
export const EnvHistoryContract: Contract<EnvStore | AppStore | DeploymentStore | EventFeed> = [
  law(
    "INV-9",
    "the Env of every revision is read as it was, however many followed",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const states = [{}, { A: "1" }, { A: "1", B: "2" }, { B: "2" }, { A: "3", B: "2" }]
      const steps = [{ A: "1" }, { B: "2" }, { A: null }, { A: "3" }]
      const revisions = [(yield* envs.read(app.id)).revision]
      for (const step of steps) revisions.push((yield* Given.revised(app, step)).revision)
      const replayed = yield* Effect.forEach(revisions, (revision) => envs.readAt(app.id, revision))
      yield* equal("the Envs", replayed.map(Given.plain), states)
    })
  ),

  law(
    "E13",
    "each change writes exactly one Event, with its revision and in the order of the revisions",
    Effect.gen(function* () {
      const app = yield* Given.registered()
      yield* Effect.all(
        numbers(6).map((index) => Given.revised(app, { [`KEY_${index}`]: "1" })),
        { concurrency: "unbounded" }
      )
      const events = (yield* Given.eventsOf(app.tenant)).filter((event) => event.type === "env.changed")
      yield* equal(
        "their revisions",
        events.map((event) => Number(event.data["revision"])),
        numbers(6)
      )
      yield* equal("their subjects", new Set(events.map((event) => event.subject)), new Set<string>([app.id]))
    })
  ),

  law(
    "E13",
    "the history holds each revision once, with who made it, what it named and how much there was then, newest first",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const steps = [{ A: "1", B: "2" }, { A: "1" }, { A: "3", B: null, NEVER: null }, { C: "", D: "4" }, { A: "" }]
      yield* Effect.forEach(steps, (step, index) =>
        envs.revise({
          app: app.id,
          actor: `actor ${index}`,
          decide: () => Result.succeed(Given.changeOf(step))
        })
      )
      const entries: Array<RevisionEntry> = []
      for (let cursor: Cursor | null | undefined = undefined; cursor !== null;) {
        const page: Page<RevisionEntry> = yield* envs.history(app.id, { limit: 2, cursor })
        entries.push(...page.items)
        cursor = page.nextCursor
      }
      const shown = entries.map(({ actor, keysDeleted, keysSet, revision, total }) => [
        Number(revision),
        actor,
        keysSet.join(),
        keysDeleted.join(),
        total
      ])
      yield* equal("the history", shown, [
        [4, "actor 4", "", "A", 1],
        [3, "actor 3", "D", "", 2],
        [2, "actor 2", "A", "B", 1],
        [1, "actor 0", "A,B", "", 2]
      ])
      const times = entries.map(({ at }) => at.epochMilliseconds)
      yield* equal(
        "the order of the times",
        times,
        times.toSorted((a, b) => b - a)
      )
    })
  ),

  law(
    "E11",
    "the deployed revision is that of the current Release, whatever changed since",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const { revision } = yield* Given.revised(app, { A: "1" })
      yield* Given.deployed(app)
      yield* Given.revised(app, { A: "2" })
      const after = yield* envs.read(app.id)
      yield* equal("the two revisions", [after.deployedRevision, Number(after.revision)], [revision, 2])
    })
  )
]
