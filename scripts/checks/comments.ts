// Comments say why. Markers of unfinished work and code that was switched off are neither.

import ts from "typescript"
import { type Check, isTypeScript, lineAt, type Source } from "./Source.ts"

/** A comment with its delimiters, and where it begins. */
export interface Comment {
  readonly text: string
  readonly offset: number
}

const marker = /\b(TODO|FIXME|XXX|HACK)\b/

const code = [
  /^(import|export)\s.*(\bfrom\s|[={])/,
  /^(const|let|var|type)\s+[\w{[].*=/,
  /^((return|yield\*?|await|throw)\s+)+[\w.]+\(.*\)$/,
  /^(if|for|while|switch)\s*\(.*\)\s*(\{.*)?$/,
  /^[\w.]+\(.*\)[,;]?$/,
  /^\}?[\])}]+[,;]?$/,
  /;$/
]

/** The comments of a file. */
export const commentsOf = ({ text }: Source): ReadonlyArray<Comment> => {
  const file = ts.createSourceFile("comments.ts", text, ts.ScriptTarget.Latest, true)
  const found = new Map<number, Comment>()
  const collect = (node: ts.Node): void => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? [])
    ]
    for (const { pos, end } of ranges) found.set(pos, { text: text.slice(pos, end), offset: pos })
    node.getChildren(file).forEach(collect)
  }
  collect(file)
  return [...found.values()]
}

const isJSDoc = (comment: Comment): boolean => comment.text.startsWith("/**")

const linesOf = (comment: Comment): ReadonlyArray<string> =>
  comment.text.split("\n").map((line) =>
    line
      .replace(/^\s*(\/\/|\/\*+|\*)/, "")
      .replace(/\*\/$/, "")
      .trim()
  )

/** Reports markers of unfinished work and lines of code in comments. */
export const checkComments: Check = (source) => {
  if (!isTypeScript(source)) return []
  return commentsOf(source).flatMap((comment) =>
    linesOf(comment).flatMap((text, index) => {
      const line = lineAt(source.text, comment.offset) + index
      if (marker.test(text)) return [{ path: source.path, line, message: "no marker of unfinished work" }]
      const switchedOff = !isJSDoc(comment) && code.some((pattern) => pattern.test(text))
      return switchedOff ? [{ path: source.path, line, message: "no commented-out code" }] : []
    })
  )
}
