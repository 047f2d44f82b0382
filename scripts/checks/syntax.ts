// Syntax that the sources do without and that the linter has no rule for.

import ts from "typescript"
import { type Check, isLibrary, isTest, isTypeScript, lineAt, parse, type Source, walk } from "./Source.ts"

const inCore = (source: Source): boolean => source.path.startsWith("packages/core/src/")

const isAsync = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword)

const isClockRead = (node: ts.Node): boolean =>
  ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments ?? []).length === 0

const reasonAgainst = (node: ts.Node, source: Source): string | undefined => {
  if (ts.isEnumDeclaration(node)) return "no enum: a union of literals says the same"
  if (isLibrary(source) && ts.isExportDeclaration(node) && node.exportClause === undefined) return "no barrel"
  if (inCore(source)) {
    if (ts.isTryStatement(node)) return "no try in core: failures are values"
    if (ts.isThrowStatement(node)) return "no throw in core: failures are values"
    if (isClockRead(node)) return "no clock in core: take the time from Clock or DateTime"
    if (isAsync(node)) return "no async in core: programs are effects"
  }
  if (isTest(source) && ts.isPropertyAccessExpression(node) && /^(only|skip|todo)$/.test(node.name.text)) {
    const base = node.expression.getText()
    if (/^(it|test|describe)\b/.test(base)) return `no ${base}.${node.name.text}: a test runs or is removed`
  }
  return undefined
}

/** Reports syntax that the place of the file forbids. */
export const checkSyntax: Check = (source) => {
  if (!isTypeScript(source)) return []
  const violations: Array<ReturnType<Check>[number]> = []
  walk(parse(source), (node) => {
    const message = reasonAgainst(node, source)
    if (message !== undefined) {
      violations.push({ path: source.path, line: lineAt(source.text, node.getStart()), message })
    }
  })
  return violations
}
