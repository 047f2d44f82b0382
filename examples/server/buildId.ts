// What this server was built from: the version, and a digest of the sources that it runs. Two builds differ, one does not.
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

const root = fileURLToPath(new URL("../..", import.meta.url))

const isSource = (path: string): boolean => /^(?:packages\/[\w-]+\/src|examples)\/.+\.(?:ts|mjs)$/.test(path)

/** The build id, such as `0.1.0+4f2a9c01d7be`. */
export const buildId: Effect.Effect<string> = Effect.sync(() => {
  const files = ["packages", "examples"]
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))
    )
    .filter((path) => !path.includes("node_modules") && isSource(path))
    .sort()
  const digest = createHash("sha256")
  for (const file of files) {
    digest
      .update(file)
      .update("\0")
      .update(readFileSync(join(root, file)))
      .update("\0")
  }
  const version = /"version": "([^"]+)"/.exec(readFileSync(join(root, "packages/core/package.json"), "utf8"))?.[1]
  return `${version}+${digest.digest("hex").slice(0, 12)}`
})
