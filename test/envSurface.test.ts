// Every way to change an Env, by name: each is a merge, or names the Revision that it replaces. What is added fails here until
// somebody has looked whether it can overwrite what its caller has not seen.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import type { EnvReplacement } from "@lockkeeper/core/program/mergeEnv"

const root = new URL("../packages/", import.meta.url)

interface Source {
  readonly file: string
  readonly text: string
}

const sources: ReadonlyArray<Source> = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => /^[a-z-]+\/src\/.*\.ts$/.test(file))
  .map((file) => ({ file, text: readFileSync(new URL(file, root), "utf8") }))

const filesWith = (pattern: RegExp): ReadonlyArray<string> =>
  sources.filter(({ text }) => pattern.test(text)).map(({ file }) => file)

/** What an EnvStore has, and how each treats the Env. One that is added does not compile. */
const methods: { readonly [Method in keyof typeof EnvStore.Service]: "reads" | "decides on the present Env" } = {
  read: "reads",
  readAt: "reads",
  history: "reads",
  revise: "decides on the present Env"
}

/** What packages export, in lower case, that is about an Env. */
const functions: Readonly<Record<string, string>> = {
  readEnv: "changes nothing",
  mergeEnv: "sets and deletes what it names",
  replaceEnv: "takes the Revision that it replaces",
  previewEnv: "changes nothing",
  previewReplacedEnv: "changes nothing"
}

/** A replacement without a Revision is none: this does not compile when it becomes optional. */
const isRequired: undefined extends EnvReplacement["expected"] ? never : true = true

describe("what changes an Env", () => {
  it.effect("E12 in a store is one method, and it decides on the present Env", () =>
    Effect.gen(function* () {
      assert.sameMembers(Object.keys(yield* EnvStore), Object.keys(methods))
    }).pipe(Effect.provide(EnvStore.layerMemory.pipe(Layer.provide(MemoryState.layer))))
  )

  it("E12 among the exports of the packages is a merge, or takes the Revision that it replaces", () => {
    const exported = sources
      .filter(({ file }) => !/\/(internal|handlers|migrations|testing)\//.test(file))
      .flatMap(({ text }) => [...text.matchAll(/^export (?:const|function\*?) ([a-z]\w*)/gm)])
      .map(([, name = ""]) => name)
      .filter((name) => /env(?!ironment)/i.test(name))
    assert.sameMembers(exported, Object.keys(functions))
    assert.isTrue(isRequired)
  })

  it("E12 goes through the two programs, and on Postgres through one file", () => {
    const callers = filesWith(/\.revise\(/).filter((file) => !file.startsWith("core/src/testing/"))
    // The other one only passes on what it is asked, and gives a Hint.
    assert.deepStrictEqual(callers, ["core/src/port/hinted.ts", "core/src/program/mergeEnv.ts"])
    const writers = filesWith(/\b(?:insert into|update|delete from) env/).filter((file) => !/\/migrations\//.test(file))
    // The other one only removes old Revisions, and the database refuses those that are needed.
    assert.deepStrictEqual(writers, [
      "adapter-postgres/src/internal/envRows.ts",
      "adapter-postgres/src/internal/sweeping.ts"
    ])
  })
})
