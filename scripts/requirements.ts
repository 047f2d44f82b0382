// Keeps docs/requirements.md true: its last column names the files whose tests or contract laws carry the id of the row.
// Without `--write` it only compares, and fails on a difference, on a tested id that has no row, and on a row that claims
// to be met without a test.

import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import ts from "typescript"
import { parse, type Source, walk } from "./checks/Source.ts"

const document = "docs/requirements.md"
const idPattern = /\b(?:INV-\d+|[UKERHBX]\d+)\b/g
const rowPattern =
  /^\| (?<id>INV-\d+|[UKERHBX]\d+) \| (?<rule>.*) \| (?<state>met|partly|to come|not applicable) \| (?<tests>.*) ?\|$/

/** What names a test, a suite or a law when it is called, or what it answers is. */
const naming: ReadonlySet<string> = new Set(["it", "test", "describe", "describeWith", "layer", "law", "live"])

/** Whose function is called: `it` of `it.effect.each(cases)("name", …)`. */
const rootOf = (callee: ts.Expression): string => {
  if (ts.isIdentifier(callee)) return callee.text
  return ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee) ? rootOf(callee.expression) : ""
}

/** The ids that the names of tests, suites and laws in a source carry. */
export const idsIn = (source: Source): ReadonlySet<string> => {
  const file = parse(source)
  const constants = new Map<string, string>()
  const named: Array<ts.Expression> = []
  walk(file, (node) => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined) {
      if (ts.isStringLiteralLike(node.initializer)) constants.set(node.name.text, node.initializer.text)
    }
    if (ts.isCallExpression(node) && naming.has(rootOf(node.expression))) named.push(...node.arguments.slice(0, 2))
    if (ts.isPropertyAssignment(node) && node.name.getText(file) === "id") named.push(node.initializer)
  })
  const textOf = (name: ts.Expression): string => {
    if (ts.isIdentifier(name)) return constants.get(name.text) ?? ""
    return ts.isStringLiteralLike(name) || ts.isTemplateExpression(name) ? name.getText(file) : ""
  }
  return new Set(named.flatMap((name) => textOf(name).match(idPattern) ?? []))
}

/** The document with its last column made from the ids found in files, and what is wrong with it. */
export const update = (
  text: string,
  found: ReadonlyMap<string, ReadonlyArray<string>>
): { readonly text: string; readonly problems: ReadonlyArray<string> } => {
  const problems: Array<string> = []
  const rows = new Set<string>()
  const lines = text.split("\n").map((line) => {
    const { id, rule, state } = rowPattern.exec(line)?.groups ?? {}
    if (id === undefined || rule === undefined || state === undefined) return line
    rows.add(id)
    const files = found.get(id) ?? []
    const isClaimed = state === "met" || state === "partly"
    if (isClaimed && files.length === 0) problems.push(`${id} is said to be ${state}, and no test carries it`)
    return `| ${id} | ${rule} | ${state} | ${files.map((file) => `\`${file}\``).join(", ")} |`
  })
  for (const id of found.keys()) if (!rows.has(id)) problems.push(`${id} is tested and has no row`)
  return { text: lines.join("\n"), problems }
}

const main = (): void => {
  const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" })
    .split("\n")
    .filter((path) => path.endsWith(".test.ts") || path.startsWith("packages/core/src/testing/"))
    .filter((path) => !path.startsWith("test/tooling/"))
    .sort()
  const found = new Map<string, ReadonlyArray<string>>()
  for (const file of files) {
    for (const id of idsIn({ path: file, text: readFileSync(file, "utf8") })) {
      found.set(id, [...(found.get(id) ?? []), file])
    }
  }
  const before = readFileSync(document, "utf8")
  const { text, problems: wrong } = update(before, found)
  const problems = [...wrong]
  if (process.argv.includes("--write")) writeFileSync(document, text)
  else if (text !== before) problems.push(`${document} is not up to date: run npm run requirements -- --write`)
  for (const problem of problems) console.log(problem)
  console.log(`${found.size} requirements are tested in ${files.length} files, ${problems.length} problems`)
  process.exitCode = problems.length > 0 ? 1 : 0
}

if (import.meta.main) main()
