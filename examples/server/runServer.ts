// Runs a server as the main program of a process: signals stop it, and it is given so long and no longer for that.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { type Effect, Runtime } from "effect"

const stopDeadlineMillis = 25_000

/** Runs it until it ends or a signal comes. The exit code is 0 after a signal, 70 when the stop took too long. */
export const runServer = <E>(main: Effect.Effect<never, E>): void => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => setTimeout(() => process.exit(70), stopDeadlineMillis).unref())
  }
  NodeRuntime.runMain(main, {
    disableErrorReporting: true,
    teardown: (exit, onExit) => Runtime.defaultTeardown(exit, (code) => onExit(code === 130 ? 0 : code))
  })
}
