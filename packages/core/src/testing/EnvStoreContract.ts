// What every store of Envs keeps: no update is lost, no revision is skipped, nothing is written in part.
// What a merge means is the domain's business (`Env.apply`); these laws ask whether the store does exactly that.
import { Effect, Result } from "effect"
import { limitBytes } from "../domain/Env.ts"
import type { AppStore } from "../port/AppStore.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, law, refused, together } from "./Contract.ts"
import { EnvHistoryContract } from "./EnvHistoryContract.ts"
import * as Given from "./Fixture.ts"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

/** A value with which an Env of this one key has exactly this many bytes. */
const filling = (key: string, bytes: number): string => "x".repeat(bytes - `{"${key}":""}`.length)

/** The laws of {@link EnvStore}. */
export const EnvStoreContract: Contract<EnvStore | AppStore | DeploymentStore | EventFeed> = [
  ...EnvHistoryContract,

  law(
    "EnvStore-1",
    "the Env of a new App is empty, at revision 0, and deployed nowhere",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const { revision, deployedRevision, env } = yield* envs.read(app.id)
      yield* equal("what is read", [Number(revision), deployedRevision, env.size], [0, null, 0])
    })
  ),

  law(
    "E4",
    "a change counts the non-empty values it sets and the present keys it deletes",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const walk = [
        yield* Given.revised(app, { A: "1", B: "2", C: "" }),
        yield* Given.revised(app, { A: "1", D: "4" }),
        yield* Given.revised(app, { B: null, NEVER: null, D: "" }),
        yield* Given.revised(app, { A: "5", B: "6", D: null })
      ]
      yield* equal(
        "the four steps",
        walk.map(({ revision, applied }) => ({
          revision: Number(revision),
          set: applied.keysSet.map(String),
          deleted: applied.keysDeleted.map(String),
          total: applied.env.size
        })),
        [
          { revision: 1, set: ["A", "B"], deleted: [], total: 2 },
          { revision: 2, set: ["A", "D"], deleted: [], total: 3 },
          { revision: 3, set: [], deleted: ["B", "D"], total: 1 },
          { revision: 4, set: ["A", "B"], deleted: [], total: 2 }
        ]
      )
      const { env, revision } = yield* envs.read(app.id)
      yield* equal("the Env", Given.plain(env), { A: "5", B: "6" })
      yield* equal("its revision", Number(revision), 4)
    })
  ),

  law(
    "E3",
    "a change that changes nothing makes no revision and no Event",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const { revision } = yield* Given.revised(app, { A: "1" })
      for (const entries of [{ A: "1" }, { B: null }, { B: "" }, {}]) {
        const again = yield* Given.revised(app, entries)
        yield* equal("the outcome", [again.revision, again.applied.changed], [revision, false])
      }
      yield* equal("the revision that is read", (yield* envs.read(app.id)).revision, revision)
      const types = (yield* Given.eventsOf(app.tenant)).map((event) => event.type)
      yield* equal("the Events", types, ["app.live", "env.changed"])
    })
  ),

  law(
    "E1",
    "sixteen changes of different keys at the same time all survive, and their revisions have no gap",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      yield* Given.revised(app, { KEPT: "as it is" })
      const entries = numbers(16).map((index) => [`KEY_${index}`, `value ${index}`] as const)
      const revisions = yield* Effect.all(
        entries.map(([key, value]) => Given.revised(app, { [key]: value })),
        { concurrency: "unbounded" }
      )
      const made = revisions.map(({ revision }) => Number(revision)).sort((a, b) => a - b)
      yield* equal("the revisions", made, numbers(17).slice(1))
      const { env, revision } = yield* envs.read(app.id)
      const sorted = Object.fromEntries([["KEPT", "as it is"] as const, ...entries].sort())
      yield* equal("the Env", Given.plain(env), sorted)
      yield* equal("its revision", Number(revision), 17)
    })
  ),

  law(
    "E12",
    "a change is decided on the Env that it is applied to: of eight that expect one revision, one succeeds",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const { revision: expected } = yield* Given.revised(app, { A: "0" })
      const replace = (value: string) =>
        envs.revise({
          app: app.id,
          actor: "contract",
          decide: ({ revision }) =>
            revision === expected
              ? Result.succeed(Given.changeOf({ A: value }))
              : Result.fail({ _tag: "Elsewhere" as const, revision })
        })
      const results = yield* together(numbers(8).map((index) => replace(String(index))))
      const winners = numbers(8).filter((_, index) => results.slice(index, index + 1).some(Result.isSuccess))
      yield* equal("how many succeed", winners.length, 1)
      const tags = results.filter(Result.isFailure).map(({ failure }) => failure._tag)
      yield* equal("what the others are told", new Set<string>(tags), new Set(["Elsewhere"]))
      const { env, revision } = yield* envs.read(app.id)
      yield* equal("the Env", [Given.plain(env), Number(revision)], [{ A: String(winners[0]) }, 2])
    })
  ),

  law(
    "INV-5",
    "what the decision refuses is refused with its own error, and nothing is written",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      yield* Given.revised(app, { A: "1" })
      const decide = () => Result.fail({ _tag: "NotToday" as const })
      yield* refused("NotToday", envs.revise({ app: app.id, actor: "contract", decide }))
      const { env, revision } = yield* envs.read(app.id)
      yield* equal("the Env", [Given.plain(env), Number(revision)], [{ A: "1" }, 1])
      yield* equal("how many Events there are", (yield* Given.eventsOf(app.tenant)).length, 2)
    })
  ),

  law(
    "E2",
    "an Env of the largest size is kept, one byte more is refused with both sizes, and nothing is written",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const { revision } = yield* Given.revised(app, { A: filling("A", limitBytes) })
      const tooLarge = yield* refused("EnvTooLarge", Given.revised(app, { A: filling("A", limitBytes + 1) }))
      yield* equal("the sizes", [tooLarge.limit, tooLarge.actual], [limitBytes, limitBytes + 1])
      const after = yield* envs.read(app.id)
      yield* equal(
        "what is read",
        [after.revision, Given.plain(after.env)],
        [revision, { A: filling("A", limitBytes) }]
      )
      yield* equal("how many Events there are", (yield* Given.eventsOf(app.tenant)).length, 2)
      const exchanged = yield* Given.revised(app, { A: null, B: filling("B", limitBytes) })
      yield* equal("a change that deletes as much as it adds", Number(exchanged.revision), 2)
    })
  ),

  law(
    "E2",
    "of two changes that fit alone but not together exactly one is refused",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const results = yield* together([
        Given.revised(app, { A: "x".repeat(40_000) }),
        Given.revised(app, { B: "x".repeat(40_000) })
      ])
      const failures = results.filter(Result.isFailure).map(({ failure }) => failure._tag)
      yield* equal("the failures", failures, ["EnvTooLarge"])
      const { env, revision } = yield* envs.read(app.id)
      yield* equal("what is kept", [env.size, Number(revision)], [1, 1])
    })
  ),

  law(
    "INV-5",
    "values and the keys that a change does not name stay the same to the last byte",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      const strange = {
        CONSTRUCTOR: '{"a":[1,"\\\\"]}',
        EMOJI: "\u{1F512} \u00e9 e\u0301 \u{10FFFF}",
        SPACES: "  leading, trailing and \t tab ",
        TEXT: "line one\nline two\r\n'; drop table apps; --",
        __PROTO__: "$1 %s ${HOME} \\n"
      }
      yield* Given.revised(app, strange)
      yield* Given.revised(app, { OTHER: "1" })
      yield* Given.revised(app, { OTHER: null })
      yield* equal("the Env", Given.plain((yield* envs.read(app.id)).env), strange)
    })
  ),

  law(
    "E8",
    "the Env of an App that does not exist is neither read nor made",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const known = yield* Given.registered()
      const app = { ...known, id: yield* Given.unknownApp }
      yield* refused("AppGone", Given.revised(app, { A: "1" }))
      yield* refused("AppGone", envs.read(app.id))
      yield* refused("AppGone", envs.readAt(app.id, known.envRevision))
      yield* refused("AppGone", envs.history(app.id, { limit: 1 }))
    })
  ),

  law(
    "INV-5",
    "a change of one App's Env leaves every other App's as it is",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const [one, other] = [yield* Given.registered(), yield* Given.registered()]
      yield* Given.revised(one, { A: "one" })
      yield* Given.revised(other, { A: "other" })
      yield* Given.revised(one, { A: null })
      yield* equal("the other Env", Given.plain((yield* envs.read(other.id)).env), { A: "other" })
    })
  )
]
