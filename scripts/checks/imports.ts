// Which part of the repository may import which. The table is the architecture; a change to it is a decision.

import { posix } from "node:path"
import ts from "typescript"
import { type Check, isLibrary, isTypeScript, lineAt, parse, walk } from "./Source.ts"

const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  "core/domain": ["core/domain"],
  "core/port": ["core/domain", "core/port"],
  "core/program": ["core/domain", "core/port", "core/program"],
  "core/testing": ["core/domain", "core/port", "core/program", "core/testing"],
  "adapter-postgres": ["core/domain", "core/port", "adapter-postgres"],
  "adapter-process": ["core/domain", "core/port", "adapter-process"],
  "adapter-junit": ["core/domain", "adapter-junit"],
  "adapter-docker": ["core/domain", "core/port", "adapter-docker"],
  "adapter-http": ["core/domain", "core/port", "core/program", "adapter-http"]
}

/** The part that a file or a package path belongs to: `core/domain`, `adapter-http`. */
const partOf = (path: string): string => {
  const [name = "", folder = ""] = path.split("/")
  return name === "core" ? `${name}/${folder}` : name
}

const targetOf = (path: string, specifier: string): string | undefined => {
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(path), specifier)
    const inside = /^packages\/([^/]+)\/src\/(.*)$/.exec(target)
    return inside === null ? target : partOf(`${inside[1]}/${inside[2]}`)
  }
  return specifier.startsWith("@lockkeeper/") ? partOf(specifier.slice("@lockkeeper/".length)) : undefined
}

const reasonAgainst = (path: string, specifier: string): string | undefined => {
  if (/^effect\/unstable(\/|$)/.test(specifier)) return "nothing imports effect/unstable"
  if (specifier === "@effect/platform-node") return "the part that is used is enough: the whole loads a client of Redis"
  if (/^\.{1,2}\//.test(specifier) && !/\.(ts|json)$/.test(specifier)) return "a relative import ends in .ts"
  if (!isLibrary({ path, text: "" })) return undefined

  const part = partOf(path.replace(/^packages\/([^/]+)\/src\//, "$1/"))
  const rule = allowed[part]
  if (rule === undefined) return `${part} has no row in the table of allowed imports`

  const target = targetOf(path, specifier)
  if (target !== undefined) return rule.includes(target) ? undefined : `${part} does not import ${target}`
  const isEffect = specifier === "effect" || specifier.startsWith("effect/")
  return part.startsWith("core/") && !isEffect ? `core imports nothing but effect, not ${specifier}` : undefined
}

const specifierOf = (node: ts.Node): ts.Expression | undefined => {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return node.argument.literal
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return node.arguments[0]
  return undefined
}

/** Reports every import that the table does not allow. */
export const checkImports: Check = (source) => {
  if (!isTypeScript(source)) return []
  const violations: Array<ReturnType<Check>[number]> = []
  walk(parse(source), (node) => {
    const specifier = specifierOf(node)
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return
    const message = reasonAgainst(source.path, specifier.text)
    if (message === undefined) return
    violations.push({ path: source.path, line: lineAt(source.text, specifier.getStart()), message })
  })
  return violations
}
