// The runner says of a mutation whether a test notices, in a copy: what survives survives by name, what makes no sense does
// not count, and the working tree stays as it is.

import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, inject, it, vi } from "vitest"
import { attempt, type Bench } from "../../scripts/mutation/attempt.ts"
import { compiler } from "../../scripts/mutation/compile.ts"
import { watchErrors } from "../../scripts/mutation/errorWatch.ts"
import type { Mutation } from "../../scripts/mutation/Guard.ts"
import { chosen, optionsOf } from "../../scripts/mutation/options.ts"
import { reportOf, resultOf, resultsIn, rowOf } from "../../scripts/mutation/report.ts"
import { copyOf } from "../../scripts/mutation/workspace.ts"

// Each attempt compiles the workspace.
vi.setConfig({ testTimeout: 180_000 })

const file = "packages/core/src/domain/Lease.ts"
const mutation = (find: string, replace: string): Mutation => ({
  file,
  guards: [],
  says: "planted",
  find,
  replace,
  tests: ["packages/core/test/Lease.test.ts"]
})

const database = await watchErrors(inject("postgresUrl"))
afterAll(() => database.close())

describe("the runner", () => {
  const workspace = copyOf(process.cwd())
  const baseline = { passed: 1, seconds: new Map<string, number>(), timedOut: false }
  const bench: Bench = { workspace, compile: compiler(process.cwd()), database, baseline, usual: new Set() }
  const text = readFileSync(file, "utf8")
  const tried = (find: string, replace: string) => attempt(bench, mutation(find, replace), text)
  afterAll(() => workspace.remove())

  it("names the test that notices, and leaves copy and working tree as they were", async () => {
    const verdict = await tried("* 3 <=", "* 2 <=")
    expect(verdict).toMatchObject({ outcome: "killed" })
    expect(verdict).toHaveProperty("by", expect.stringMatching(/renewals may be missed|draws the line/))
    expect(readFileSync(file, "utf8")).toBe(text)
    expect(readFileSync(join(workspace.root, file), "utf8")).toBe(text)
  })

  it("says that a mutation survived which changes nothing that a test sees", async () => {
    expect(await tried("* 3 <=", "* 3.0 <=")).toEqual({ outcome: "survived" })
  })

  it("does not count what does not compile, has no place or has no test that runs", async () => {
    expect(await tried("* 3 <=", "* true <=")).toMatchObject({ outcome: "invalid" })
    expect(await tried("* 4 <=", "* 3 <=")).toMatchObject({ outcome: "invalid" })
    const untested = { ...mutation("* 3 <=", "* 2 <="), tests: ["packages/core/test/none.test.ts"] }
    expect(await attempt(bench, untested, text)).toMatchObject({ outcome: "invalid" })
  })
})

describe("the passage to the database", () => {
  it("notes statements that make no sense, and not those that are refused", async () => {
    const run = (statement: string) =>
      Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.exit(sql.unsafe(statement))).pipe(
        Effect.provide(PgClient.layer({ url: Redacted.make(database.url), prepare: false })),
        Effect.runPromise
      )
    await run("select 1 / 0")
    expect([...database.take()]).toEqual([])
    await run("select 1 wher true")
    expect([...database.take()]).toEqual(['42601 syntax error at or near "true"'])
    expect([...database.take()]).toEqual([])
  })
})

describe("what is asked for", () => {
  const all = ["a", "b", "c", "d"].map((says) => ({ ...mutation("", ""), says, guards: [`in ${says}`] }))
  const wasTried = ({ says }: Mutation) => says === "b"
  const picked = (...args: ReadonlyArray<string>) => chosen(all, optionsOf(args), wasTried).map(({ says }) => says)

  it("is all, what a word is in, what was never tried, or a sample that its seed decides", () => {
    expect(picked()).toEqual(["a", "b", "c", "d"])
    expect(picked("--only", "in c")).toEqual(["c"])
    expect(picked("--rest")).toEqual(["a", "c", "d"])
    expect(picked("--sample", "2", "--seed", "3")).toEqual(picked("--sample", "2", "--seed", "3"))
    expect(picked("--sample", "2", "--seed", "3")).toHaveLength(2)
    const first = Array.from({ length: 20 }, (_, seed) => picked("--sample", "1", "--seed", String(seed))[0])
    expect([...new Set(first)].sort()).toEqual(["a", "b", "c", "d"])
  })
})

describe("the report", () => {
  it("says for each guard which test notices, or why none has to", () => {
    const killed = { outcome: "killed", by: "a | b", message: "" } as const
    const one = { ...mutation("a", "b"), guards: ["f: for update"] }
    const other = { ...one, says: "never tried" }
    const results = new Map([[rowOf(one), resultOf({ mutation: one, verdict: killed }, "2026-01-31")]])
    const page = reportOf([one, other], results, [{ file, guards: ["g"], reason: "why" }])
    expect(page).toContain("| core/domain/Lease.ts | `f: for update` | planted | a \\| b | 2026-01-31 |")
    expect(page).toContain("| core/domain/Lease.ts | `f: for update` | never tried | not tried | never |")
    expect(page).toContain("| core/domain/Lease.ts | `g` | why |")
    expect(page).toContain("2 guards, 2 mutations (1 killed, 0 survived, 0 invalid, 1 not tried), 1 reasons")
    expect(resultsIn(page)).toEqual(results)
  })
})
