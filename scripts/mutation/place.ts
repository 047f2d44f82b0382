// Where in a file a guard stands, by name: the function around it, or the table that a statement of a migration makes.

import ts from "typescript"

/** The name of the innermost function or table around an offset. */
export const placeOf = (file: ts.SourceFile, offset: number): string => {
  let name = "top"
  const visit = (node: ts.Node): void => {
    if (offset < node.getStart(file) || offset >= node.getEnd()) return
    name = functionName(node) ?? tableName(node.getText(file), offset - node.getStart(file), node) ?? name
    ts.forEachChild(node, visit)
  }
  ts.forEachChild(file, visit)
  return name
}

const functionName = (node: ts.Node): string | undefined => {
  if (ts.isVariableDeclaration(node)) {
    const isStep = node.initializer !== undefined && ts.isYieldExpression(node.initializer)
    return ts.isIdentifier(node.name) && !isStep ? node.name.text : undefined
  }
  const isNamed = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)
  return isNamed && node.name !== undefined ? node.name.getText() : undefined
}

const tableName = (text: string, offset: number, node: ts.Node): string | undefined =>
  ts.isStringLiteralLike(node)
    ? [...text.slice(0, offset).matchAll(/\bcreate table (\w+)/g)].map(([, table]) => table).at(-1)
    : undefined
