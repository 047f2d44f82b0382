// What the database answered in two recordings of the same statements, and where in it something stands that it was sent back.

import type { Sent } from "../deploy/replay.ts"

/** A place in an answer: a cell of its first row, or the first of the list in that cell. */
export interface Place {
  readonly statement: number
  readonly column: string
  readonly isFirst: boolean
}

const cellOf = ({ rows: [row] }: Sent, column: string): unknown =>
  typeof row === "object" && row !== null ? new Map<string, unknown>(Object.entries(row)).get(column) : undefined

const columnsOf = ({ rows: [row] }: Sent): ReadonlyArray<string> =>
  typeof row === "object" && row !== null ? Object.keys(row) : []

const firstOf = (value: unknown): unknown => {
  const [first]: ReadonlyArray<unknown> = Array.isArray(value) ? value : []
  return first
}

/** What stands there. */
export const answeredAt = (answers: ReadonlyArray<Sent>, { column, isFirst, statement }: Place): unknown => {
  const answer = answers[statement]
  const value = answer === undefined ? undefined : cellOf(answer, column)
  return isFirst ? firstOf(value) : value
}

/** The last place that both recordings have and at which `isThere` holds of what stands there. */
export const placeOf = (
  before: ReadonlyArray<Sent>,
  last: ReadonlyArray<Sent>,
  isThere: (before: unknown, last: unknown) => boolean
): Place | undefined => {
  for (let statement = last.length - 1; statement >= 0; statement--) {
    const sent = last[statement]
    const places = (sent === undefined ? [] : columnsOf(sent)).flatMap((column) =>
      [false, true].map((isFirst): Place => ({ statement, column, isFirst }))
    )
    const found = places.find((place) => isThere(answeredAt(before, place), answeredAt(last, place)))
    if (found !== undefined) return found
  }
  return undefined
}
