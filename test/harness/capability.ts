// What the machine offers to tests. A group of tests that needs more is skipped by name, or fails where it is required:
// `LOCKKEEPER_TEST_REQUIRE` is `all` or a list such as `git,sshd`.

import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { describe, it } from "vitest"
import { images } from "./images.ts"

/** Something that a machine may lack. */
export type Capability = "docker" | "git" | "sshd" | "pgbouncer"

const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]

/** Where a program is installed; daemons are often outside the PATH of a user. */
export const programPath = (name: string): string | undefined =>
  directories.map((directory) => join(directory, name)).find((path) => existsSync(path))

const answers = (name: string, args: ReadonlyArray<string>, seconds = 10): boolean => {
  const path = programPath(name)
  return path !== undefined && spawnSync(path, args, { stdio: "ignore", timeout: seconds * 1_000 }).status === 0
}

/** An engine, with the images that tests run; those that it lacks are pulled where that is possible. */
const hasDocker = (): boolean =>
  answers("docker", ["info"]) &&
  Object.values(images).every(
    (image) => answers("docker", ["image", "inspect", image]) || answers("docker", ["pull", "--quiet", image], 180)
  )

// Found out once for all workers: vitest.config.ts asks before they start, and they inherit the environment.
const dockerOnce = (): boolean => {
  process.env["LOCKKEEPER_TEST_HAS_DOCKER"] ??= hasDocker() ? "yes" : "no"
  return process.env["LOCKKEEPER_TEST_HAS_DOCKER"] === "yes"
}

const probes: Readonly<Record<Capability, () => boolean>> = {
  docker: dockerOnce,
  git: () => answers("git", ["--version"]),
  sshd: () => programPath("sshd") !== undefined && programPath("ssh-keygen") !== undefined,
  pgbouncer: () => answers("pgbouncer", ["--version"])
}

const known = new Map<Capability, boolean>()

/** Whether the machine offers it, found out once. */
export const capability = (name: Capability): boolean => {
  const found = known.get(name) ?? probes[name]()
  known.set(name, found)
  return found
}

/** Whether tests that need it must run. */
export const isRequired = (name: Capability, required = process.env["LOCKKEEPER_TEST_REQUIRE"] ?? ""): boolean =>
  required.split(",").some((word) => word.trim() === "all" || word.trim() === name)

/** `describe` for tests that need all of these: skipped where one is missing, a failing test where that one is required. */
export const describeWith =
  (...names: ReadonlyArray<Capability>) =>
  (title: string, body: () => void): void => {
    const missing = names.filter((name) => !capability(name))
    const required = missing.filter((name) => isRequired(name))
    if (required.length === 0) {
      describe.skipIf(missing.length > 0)(missing.length > 0 ? `${title} (needs ${missing.join(", ")})` : title, body)
      return
    }
    describe(title, () => {
      it(`finds ${required.join(", ")} on this machine`, () => {
        throw new Error(`LOCKKEEPER_TEST_REQUIRE asks for ${required.join(", ")}, which this machine does not offer`)
      })
    })
  }
