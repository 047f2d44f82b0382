// Finds the guards of a source by their text: in literals where they are SQL, outside of them where they are code. Comments
// do not count. A guard is known by where it stands and what it says, so that it is the same when lines move.

import ts from "typescript"
import { commentsOf } from "../checks/comments.ts"
import { isLibrary, parse, type Source, walk } from "../checks/Source.ts"
import type { Guard } from "./Guard.ts"
import { codeKinds, type Kind, sqlKinds } from "./kinds.ts"
import { placeOf } from "./place.ts"

interface Range {
  readonly start: number
  readonly end: number
}

interface Found extends Range {
  readonly kind: string
  readonly text: string
}

/** Finds the guards of a file, in their order. The contract suites hold none. */
export const scan = (source: Source): ReadonlyArray<Guard> => {
  if (!isLibrary(source) || source.path.startsWith("packages/core/src/testing/")) return []
  const text = withoutComments(source)
  const file = parse(source)
  const quoted = quotedIn(file)
  const isQuoted = ({ start }: Range): boolean => quoted.some((range) => range.start <= start && start < range.end)
  const sql = sqlKinds.flatMap((kind) => matches(text, kind)).filter(isQuoted)
  const code = codeKinds.flatMap((kind) => matches(text, kind)).filter((found) => !isQuoted(found))

  const seen = new Map<string, number>()
  return [...outermost(sql), ...code]
    .sort((a, b) => a.start - b.start)
    .map(({ text, ...range }) => {
      const name = `${placeOf(file, range.start)}: ${text}`
      const nth = (seen.get(name) ?? 0) + 1
      seen.set(name, nth)
      return { file: source.path, id: nth === 1 ? name : `${name} #${nth}`, ...range }
    })
}

const matches = (text: string, { kind, pattern }: Kind): ReadonlyArray<Found> =>
  [...text.matchAll(pattern)].map(({ 0: matched, index }) => {
    const end = index + matched.length
    const closed = matched.endsWith("(") ? closing(text, end) : end
    return { kind, start: index, end: closed, text: nameOf(text.slice(index, closed)) }
  })

/** The offset behind the bracket that closes the one before `from`. */
const closing = (text: string, from: number): number => {
  let depth = 1
  let offset = from
  for (; offset < text.length && depth > 0; offset++) {
    if (text[offset] === "(") depth += 1
    if (text[offset] === ")") depth -= 1
  }
  return offset
}

/** The name where a guard has one, else what it says. */
const nameOf = (text: string): string => {
  const named = /^(?:constraint \w+|create unique index \w+|Effect\.\w+|(?:\w+Leased?|untilLost)(?=\())|\bnew \w+/.exec(
    text
  )
  return named === null ? text.replaceAll(/\s+/g, " ") : named[0]
}

/** A guard that is a part of another one is not one of its own. */
const outermost = (found: ReadonlyArray<Found>): ReadonlyArray<Found> => {
  const size = ({ end, start }: Range): number => end - start
  return found.filter(
    (one) => !found.some((other) => other.start <= one.start && one.end <= other.end && size(other) > size(one))
  )
}

/** The same text, at the same offsets, with blanks for comments. */
const withoutComments = (source: Source): string =>
  commentsOf(source).reduce(
    (left, { offset, text }) =>
      left.slice(0, offset) + text.replaceAll(/[^\n]/g, " ") + left.slice(offset + text.length),
    source.text
  )

/** What is written in quotes and backticks, without what is substituted in it. */
const quotedIn = (file: ts.SourceFile): ReadonlyArray<Range> => {
  const ranges: Array<Range> = []
  walk(file, (node) => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      ranges.push({ start: node.getStart(file), end: node.getEnd() })
    }
  })
  return ranges
}
