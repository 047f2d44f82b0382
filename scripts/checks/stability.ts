// Core depends on what effect promises to keep: every name that core takes from it is tagged `@stability stable`.

import { posix, resolve } from "node:path"
import ts from "typescript"
import { lineAt, type Source, type Violation, walk } from "./Source.ts"

const isEffect = (file: ts.SourceFile): boolean => /\/node_modules\/effect\/(dist|src)\//.test(file.fileName)

const tagOf = (text: string): string | undefined => /@stability\s+(\w+)/.exec(text)?.[1]

/** The tag of a declaration: its own, else that of what encloses it, else that of its module. */
const stabilityOf = (declaration: ts.Node): string | undefined => {
  for (let node = declaration; !ts.isSourceFile(node); node = node.parent) {
    const tag = ts.getJSDocTags(node).find(({ tagName }) => tagName.text === "stability")
    const stability = ts.getTextOfJSDocComment(tag?.comment)?.trim()
    if (stability !== undefined) return stability
  }
  return tagOf(declaration.getSourceFile().text.slice(0, 4000).split("*/")[0] ?? "")
}

const programOf = (sources: ReadonlyArray<Source>): ts.Program => {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile("tsconfig.json", ts.sys.readFile).config,
    ts.sys,
    resolve(".")
  )
  const texts = new Map(sources.map(({ path, text }) => [posix.join(resolve("."), path), text]))
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (path) => texts.has(path) || fileExists(path)
  host.readFile = (path) => texts.get(path) ?? readFile(path)
  return ts.createProgram([...texts.keys()], options, host)
}

const symbolAt = (node: ts.Identifier, checker: ts.TypeChecker): ts.Symbol | undefined => {
  const symbol = checker.getSymbolAtLocation(node)
  return symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

/** Reports each use of a name of effect that is not stable. */
export const checkStability = (sources: ReadonlyArray<Source>): ReadonlyArray<Violation> => {
  const core = sources.filter(({ path }) => /^packages\/core\/src\/.*\.ts$/.test(path))
  if (core.length === 0) return []
  const program = programOf(core)
  const checker = program.getTypeChecker()
  return core.flatMap(({ path, text }) => {
    const violations: Array<Violation> = []
    const file = program.getSourceFile(posix.join(resolve("."), path))
    if (file === undefined) return [{ path, line: 1, message: "cannot be read by the compiler" }]
    walk(file, (node) => {
      if (!ts.isIdentifier(node)) return
      const declarations = symbolAt(node, checker)?.declarations ?? []
      const external = declarations.filter((declaration) => isEffect(declaration.getSourceFile()))
      const unstable = external.map(stabilityOf).find((stability) => stability !== "stable")
      if (external.length === 0 || external.some((declaration) => stabilityOf(declaration) === "stable")) return
      const message = `${node.text} of effect is ${unstable ?? "untagged"}: core uses only what is stable`
      violations.push({ path, line: lineAt(text, node.getStart()), message })
    })
    return violations
  })
}
