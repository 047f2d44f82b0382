// The scan finds a planted guard of every kind, and the check demands that each is mutated or left out for a reason.

import { describe, expect, it } from "vitest"
import { checkGuards } from "../../scripts/mutation/check.ts"
import { edit } from "../../scripts/mutation/edit.ts"
import type { Listed } from "../../scripts/mutation/Guard.ts"
import { scan } from "../../scripts/mutation/scan.ts"

const path = "packages/adapter-postgres/src/Planted.ts"
const found = (text: string, file = path) => scan({ path: file, text }).map(({ id, kind }) => `${kind}: ${id}`)
const sql = (text: string) => found(`export const f = sql\`${text}\``)

describe("the scan", () => {
  it.each([
    ["fence", "where a = 1 and d.fence = ${claim.fence}"],
    ["fence", "where r.fence <= excluded.fence"],
    ["fence", "set last_fence = last_fence + 1"],
    ["owner", "where key = ${key} and reservation = ${id}"],
    ["lock", "select 1 for update"],
    ["lock", "select 1 from a for no key update of a"],
    ["lock", "select 1 for share"],
    ["lock", "lock table a"],
    ["unique", "name text unique"],
    ["unique", "create unique index one on a (b) where status = 'live'"],
    ["unique", "constraint one unique (a, b)"],
    ["check", "a int check (a > 0 and (b or c))"],
    ["check", "constraint one check (status = 'live')"],
    ["exclude", "exclude using gist (a with &&)"],
    ["key", "a text primary key"],
    ["key", "primary key (a, b)"],
    ["key", "a text references b (c)"],
    ["key", "foreign key (a, b) references c (d, e)"],
    ["conflict", "on conflict (a) do update set b = 1"],
    ["status", "where d.status in ('queued', 'building')"],
    ["status", "where status not in ('queued')"],
    ["status", "where status <> 'deleted'"],
    ["lease", "where lease_until > clock_timestamp()"],
    ["cap", "where n < ${cap}"],
    ["snapshot", "where xid < pg_snapshot_xmin(pg_current_snapshot())"],
    ["released", "where i.released_at is null"]
  ])("finds one guard of SQL: %s in %s", (kind, text) => {
    expect(sql(text)).toHaveLength(1)
    expect(sql(text)[0]).toMatch(new RegExp(`^${kind}: f: `))
  })

  it.each([
    ["finalizer", "Effect.acquireRelease(a, b)"],
    ["finalizer", "Effect.acquireUseRelease(a, b, c)"],
    ["finalizer", "Effect.addFinalizer(() => a)"],
    ["finalizer", "a.pipe(Effect.onInterrupt(() => b))"],
    ["finalizer", "a.pipe(Effect.onExit(() => b))"],
    ["finalizer", "a.pipe(Effect.onError(() => b))"],
    ["finalizer", "a.pipe(Effect.ensuring(b))"],
    ["region", "a.pipe(Effect.uninterruptible)"],
    ["region", "Effect.uninterruptibleMask((restore) => a)"],
    ["lease", "whileLeased(claim, a)"],
    ["lease", "function* () { if (a) return yield* new LeaseLost({}) }"],
    ["lease", "row.leaseUntil <= millis"],
    ["fence", "intent.fence < serving.fence"],
    ["status", 'row?.status === "live"']
  ])("finds one guard of code: %s in %s", (kind, text) => {
    const file = "packages/core/src/program/planted.ts"
    expect(found(`export const f = ${text}`, file)).toHaveLength(1)
    expect(found(`export const f = ${text}`, file)[0]).toMatch(new RegExp(`^${kind}: f: `))
  })

  it("looks for SQL in literals alone, for code outside of them, and for nothing in comments and contracts", () => {
    expect(found("// select 1 for update\nexport const a = b /* fence = 1 */")).toEqual([])
    expect(found("export const unique = check (a)")).toEqual([])
    expect(found('export const a = "Effect.addFinalizer(a)"')).toEqual([])
    expect(found("export const a = sql`select 1 for update`", "packages/core/src/testing/a.ts")).toEqual([])
    expect(found("export const a = sql`select 1 for update`", "test/a.ts")).toEqual([])
  })

  it("knows a guard again when lines move, and tells equal ones apart", () => {
    const text = "export const f = sql`select 1 for update`\nexport const g = [sql`a for share`, sql`b for share`]\n"
    expect(found(text)).toEqual(["lock: f: for update", "lock: g: for share", "lock: g: for share #2"])
    expect(found(`// moved\n\n${text.replace("select 1", "select\n  1")}`)).toEqual(found(text))
    expect(found("export const a = `create table b (\n  c text primary key\n)`")).toEqual(["key: b: primary key"])
  })
})

describe("the check", () => {
  const text = "export const f = sql`select 1 for update`\nexport const g = sql`select 2 for share`\n"
  const mutation = { file: path, guards: ["f: for update"], says: "", find: "1 for update", replace: "1", tests: [] }
  const leftOut = { file: path, guards: ["g: for share"], reason: "" }
  const problems = (change: Partial<Listed>) =>
    checkGuards([{ path, text }], { mutations: [mutation], leftOut: [leftOut], ...change }).map(
      ({ line, message }) => `${line} ${message}`
    )

  it("has nothing to say when each guard is listed", () => {
    expect(problems({})).toEqual([])
  })

  it("reports a guard that is not listed, with its line", () => {
    expect(problems({ leftOut: [] })).toEqual(["2 no mutation and no reason for the guard g: for share"])
  })

  it("reports what is listed and is not there, or is listed for both", () => {
    expect(problems({ leftOut: [leftOut, { ...leftOut, guards: ["h: for share"] }] })).toHaveLength(1)
    expect(problems({ leftOut: [leftOut, { ...leftOut, guards: ["f: for update"] }] })).toHaveLength(1)
  })

  it.each([
    ["is not there", { find: "3 for update", replace: "3" }],
    ["stands there twice", { find: "select", replace: "" }],
    ["changes nothing", { find: "for update", replace: "for update" }],
    ["does not touch its guard", { find: "select 2 for share", replace: "select 2" }],
    ["is left to tests that are not there", { tests: ["packages/adapter-postgres/test/none.test.ts"] }]
  ])("reports an edit that %s", (_, change) => {
    expect(problems({ mutations: [{ ...mutation, ...change }] })).toHaveLength(1)
  })
})

describe("an edit", () => {
  it("says which part of the text it changes", () => {
    expect(edit("a = 1 and b = 2", { find: "b = 2", replace: "b = 3" })).toEqual({
      ok: true,
      text: "a = 1 and b = 3",
      start: 14,
      end: 15
    })
    expect(edit("abab", { find: "ab", replace: "a" })).toMatchObject({ ok: false })
  })
})
