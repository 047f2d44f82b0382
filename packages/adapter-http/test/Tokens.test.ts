// The setting that lists tokens: what it means, and that a wrong one is refused without being shown.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { inspect } from "node:util"
import { Tokens } from "../src/Tokens.ts"

const find = (setting: string, ...tokens: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const known = yield* Tokens
    return tokens.map((token) => {
      const caller = known.find(Redacted.make(token))
      return caller === undefined ? undefined : `${caller.name} of ${caller.tenant}`
    })
  }).pipe(Effect.provide(Tokens.layer(Redacted.make(setting))))

describe("Tokens", () => {
  it.effect("belong to their Tenant; without a name they bear the Tenant's, and admin for every Tenant", () =>
    Effect.gen(function* () {
      const setting = "ann:s3cret=acme, plain=acme,ops:all=*,root=*"
      const callers = ["ann of acme", "acme of acme", "ops of *", "admin of *"]
      assert.deepStrictEqual(yield* find(setting, "s3cret", "plain", "all", "root"), callers)
    })
  )

  it.effect("may hold what a header may, the signs of the setting too", () =>
    Effect.gen(function* () {
      const token = "a:b=c==/+~!"
      assert.deepStrictEqual(yield* find(`ci:${token}=acme`, token), ["ci of acme"])
      assert.deepStrictEqual(yield* find("YWJj==acme", "YWJj="), ["acme of acme"])
    })
  )

  it.effect("are matched whole and exactly", () =>
    Effect.gen(function* () {
      const wrong = ["", "s3cre", "s3cret ", "S3CRET", "ann", "ann:s3cret", "s3cret=acme", "acme", "*", "__proto__"]
      const none = wrong.map(() => undefined)
      assert.deepStrictEqual(yield* find("ann:s3cret=acme", ...wrong), none)
    })
  )

  it.effect("of a setting that is not one are refused by the number of the entry, without showing it", () =>
    Effect.gen(function* () {
      const good = "good=acme"
      const wrong = [
        "",
        "s3cret",
        "s3cret=",
        "=acme",
        "s3cret=Acme",
        "s3cret=acme!",
        "s3 cret=acme",
        "s3cret\n=acme",
        "a:=acme"
      ]
      for (const entry of wrong) {
        const error = yield* Effect.flip(find(`${good},${entry}`, "s3cret"))
        assert.strictEqual(error.entry, 2, entry)
        assert.notMatch(`${error.message} ${inspect(error)} ${JSON.stringify(error)}`, /s3 ?cret/)
      }
    })
  )

  it.effect("belong to one caller: a token that is listed twice is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(find("ann:s3cret=acme,b=other,ops:s3cret=*", "s3cret"))
      assert.strictEqual(error.entry, 3)
    })
  )

  it.effect("are not kept: what is kept shows none", () =>
    Effect.gen(function* () {
      const known = yield* Tokens
      assert.notInclude(inspect(known, { depth: 10, showHidden: true }), "s3cret")
    }).pipe(Effect.provide(Tokens.layer(Redacted.make("ann:s3cret=acme"))))
  )
})
