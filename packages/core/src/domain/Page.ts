// One page of a list, newest first.
import { Schema } from "effect"

/** Where the next page begins; opaque to callers. */
export const Cursor = Schema.String.check(Schema.isPattern(/^\d{1,18}$/)).pipe(Schema.brand("Cursor"))

/** The type of {@link Cursor}. */
export type Cursor = typeof Cursor.Type

/** What part of a list to answer: at most `limit` items after `cursor` (the newest ones without it). */
export interface PageRequest {
  readonly limit: number
  readonly cursor?: Cursor | undefined
}

/** Some items, newest first, and where the next ones begin (null when there are none). */
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor: Cursor | null
}

/** Cuts a page from rows that were read one past the limit. `position` tells where a row stands in the list. */
export const cut = <Row, A>(
  request: PageRequest,
  rows: ReadonlyArray<Row>,
  position: (row: Row) => number,
  item: (row: Row) => A
): Page<A> => {
  const shown = rows.slice(0, request.limit)
  const last = shown.at(-1)
  return {
    items: shown.map(item),
    nextCursor: rows.length > shown.length && last !== undefined ? Cursor.make(String(position(last))) : null
  }
}
