// On which runtime the end-to-end tests run: the suite runs once on each, and says here what differs between them.

import { Effect } from "effect"
import { docker } from "./engine.ts"
import type { Answer } from "./testApp.ts"

/** `LOCKKEEPER_TEST_RUNTIME`, which the projects of vitest.config.ts set. */
export const flavour: "docker" | "process" = process.env["LOCKKEEPER_TEST_RUNTIME"] === "docker" ? "docker" : "process"

/** One of two, by the runtime. */
export const byFlavour = <A>(values: { readonly docker: A; readonly process: A }): A => values[flavour]

/** Kills an app that answered, as the kernel might. */
export const killApp = ({ env, pid }: Answer): Effect.Effect<void> =>
  byFlavour<Effect.Effect<void>>({
    docker: Effect.promise(() => docker.getContainer(env["HOSTNAME"] ?? "").kill()),
    process: Effect.sync(() => void process.kill(pid, "SIGKILL"))
  })
