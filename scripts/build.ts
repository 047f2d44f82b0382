// Builds every package: core first, because the adapters are compiled against its declarations, then the adapters side by side.

import { readdirSync } from "node:fs"
import { runAll } from "./run.ts"

const packages = readdirSync("packages").filter((name) => name !== "core")

const build = (name: string) => ({
  name: `build ${name}`,
  command: "tsup --silent --config ../../tsup.config.ts",
  cwd: `packages/${name}`
})

const succeeded = (await runAll([build("core")], 1)) && (await runAll(packages.map(build), 2))
process.exitCode = succeeded ? 0 : 1
