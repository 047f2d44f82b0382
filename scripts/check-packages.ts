// Checks the packages as their users get them: packs each, lints the tarball, resolves the types of every public module, and
// imports the built modules.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runAll } from "./run.ts"

type Exports = Readonly<Record<string, null | string | { readonly types: string }>>

const manifestOf = (name: string): { readonly name: string; readonly exports: Exports } =>
  JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8"))

/** The public modules of a built package as subpaths, `domain/App`. */
const modulesOf = (name: string): ReadonlyArray<string> => {
  const keys = Object.entries(manifestOf(name).exports)
  const hidden = keys.filter(([, target]) => target === null).map(([key]) => key.slice(2, -1))
  return keys.flatMap(([key, target]) => {
    if (target === null || typeof target === "string") return []
    const folder = target.types.slice("./dist/".length, target.types.indexOf("*"))
    const found = readdirSync(`packages/${name}/dist/${folder}`, { recursive: true, encoding: "utf8" })
    const modules = found
      .filter((file) => file.endsWith(".d.ts"))
      .map((file) => key.slice(2).replace("*", file.slice(0, -5)))
    return modules.filter((module) => !hidden.some((prefix) => module.startsWith(prefix)))
  })
}

const check = (name: string, folder: string): string => {
  const modules = modulesOf(name)
  const tarball = join(folder, `lockkeeper-${name}-*.tgz`)
  const imports = modules.map((module) => `await import(${JSON.stringify(`${manifestOf(name).name}/${module}`)})`)
  return [
    `npm pack --silent -w packages/${name} --pack-destination ${folder}`,
    `publint --strict ${tarball}`,
    `attw --quiet --profile esm-only --entrypoints ${modules.join(" ")} -- ${tarball}`,
    `node --input-type=module --eval '${imports.join("; ")}'`
  ].join(" && ")
}

const folder = mkdtempSync(join(tmpdir(), "lockkeeper-packages-"))
process.once("exit", () => rmSync(folder, { recursive: true }))

const tasks = readdirSync("packages").map((name) => ({ name: `package ${name}`, command: check(name, folder) }))
process.exitCode = (await runAll(tasks, 2)) ? 0 : 1
