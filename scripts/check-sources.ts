// Checks every file of the repository against the rules that the linter cannot express, and lists what breaks them.

import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { checkCharacters } from "./checks/characters.ts"
import { checkComments } from "./checks/comments.ts"
import { checkDocumented } from "./checks/documented.ts"
import { checkImports } from "./checks/imports.ts"
import { checkMerges } from "./checks/merges.ts"
import { checkStability } from "./checks/stability.ts"
import { checkSyntax } from "./checks/syntax.ts"
import { checkGuards } from "./mutation/check.ts"
import { listed } from "./mutation/listed.ts"

const paths = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8"
})

const sources = paths
  .split("\0")
  .filter((path) => path !== "" && existsSync(path))
  .map((path) => ({ path, text: readFileSync(path, "utf8") }))

const checks = [checkCharacters, checkComments, checkDocumented, checkImports, checkMerges, checkSyntax]
const violations = [
  ...sources.flatMap((source) => checks.flatMap((check) => check(source))),
  ...checkStability(sources),
  ...checkGuards(sources, listed)
]

for (const { path, line, message } of violations) console.log(`${path}:${line} ${message}`)
console.log(`${sources.length} files checked, ${violations.length} violations`)
process.exitCode = violations.length > 0 || sources.length === 0 ? 1 : 0
