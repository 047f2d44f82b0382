// Cutting a list into pages.

import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { cut, Cursor, type PageRequest } from "../src/domain/Page.ts"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))
const Limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))

/** A list of positions, newest first, as a store reads it: one row past the limit. */
const pageOf = (count: number, request: PageRequest) => {
  const before = request.cursor === undefined ? Number.POSITIVE_INFINITY : Number(request.cursor)
  const rows = Array.from({ length: count }, (_, index) => count - index).filter((position) => position < before)
  return cut(
    request,
    rows.slice(0, request.limit + 1),
    (row) => row,
    (row) => `item ${row}`
  )
}

describe("Page.cut", () => {
  it.prop("X13 shows every item on exactly one page, newest first", [Count, Limit], ([count, limit]) => {
    const pages = [pageOf(count, { limit })]
    for (let cursor = pages[0]?.nextCursor ?? null; cursor !== null; cursor = pages.at(-1)?.nextCursor ?? null) {
      pages.push(pageOf(count, { limit, cursor }))
    }
    expect(pages.flatMap(({ items }) => items)).toEqual(
      Array.from({ length: count }, (_, index) => `item ${count - index}`)
    )
    expect(pages.length).toBe(Math.max(1, Math.ceil(count / limit)))
  })

  it.prop("X13 names a next page only when there is one", [Count, Limit], ([count, limit]) => {
    expect(pageOf(count, { limit }).nextCursor).toBe(count > limit ? String(count - limit + 1) : null)
  })

  it.each(["", "-1", "1.5", "a", "1 ", "1".repeat(19)])("X13 has no cursor %j", (value) => {
    expect(Schema.is(Cursor)(value)).toBe(false)
  })
})
