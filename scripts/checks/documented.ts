// Everything that a package exports says what it is for.

import ts from "typescript"
import { type Check, isLibrary, lineAt, parse } from "./Source.ts"

const isExported = (node: ts.Statement): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)

const namesOf = (node: ts.Statement): ReadonlyArray<string> => {
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map(({ name }) => name.getText())
  const named =
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isModuleDeclaration(node)
  return named && node.name !== undefined ? [node.name.getText()] : []
}

const isDocumented = (node: ts.Node): boolean =>
  ts.getJSDocCommentsAndTags(node).some((doc) => ts.isJSDoc(doc) && ts.getTextOfJSDocComment(doc.comment) !== undefined)

/** Reports public exports without JSDoc. A name needs it once: on its type, its value or its first overload. */
export const checkDocumented: Check = (source) => {
  if (!isLibrary(source) || source.path.includes("/internal/")) return []
  const exported = parse(source).statements.filter(isExported)
  const documented = new Set(exported.filter(isDocumented).flatMap(namesOf))
  return exported.flatMap((node) =>
    namesOf(node)
      .filter((name) => !documented.has(name))
      .map((name) => ({
        path: source.path,
        line: lineAt(source.text, node.getStart()),
        message: `${name} is exported without a JSDoc paragraph`
      }))
  )
}
