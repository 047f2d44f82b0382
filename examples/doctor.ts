// Looks whether what the settings of the server lead to is as it needs it, and says what to set: `npm run doctor`, with the
// environment of the server. It changes nothing, and ends with 1 when something has to be mended.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Console, Effect, Option } from "effect"
import { inspectEngine } from "@lockkeeper/adapter-docker/DockerEngine"
import { diagnose, type Finding } from "@lockkeeper/adapter-postgres/PostgresDoctor"
import { type Settings, settings } from "./server/settings.ts"
import { startFailure } from "./server/startFailure.ts"

/** What is shown of one thing that was looked at. */
interface Shown extends Pick<Finding, "advice" | "found" | "status"> {
  readonly check: string
}

const embedded: Shown = {
  check: "connection",
  status: "ok",
  found: "no DATABASE_URL: the server starts a database of its own, which it migrates and reaches directly"
}

const aboutDatabase = ({ databaseUrl, directDatabaseUrl, migrate, prepare }: Settings) =>
  Option.match(databaseUrl, {
    onNone: () => Effect.succeed<ReadonlyArray<Shown>>([embedded]),
    onSome: (url): Effect.Effect<ReadonlyArray<Shown>> =>
      diagnose({ url, directUrl: Option.getOrUndefined(directDatabaseUrl), migrate, prepare })
  })

const aboutEngine = ({ runtime }: Settings): Effect.Effect<Shown> => {
  const check = "engine"
  if (runtime === "process") {
    return Effect.succeed({ check, status: "ok", found: "not used: LOCKKEEPER_RUNTIME is process" })
  }
  return Effect.match(inspectEngine(), {
    onSuccess: ({ apiVersion, version }): Shown => ({
      check,
      status: "ok",
      found: `Docker ${version}, API ${apiVersion}`
    }),
    onFailure: ({ message }): Shown => ({
      check,
      status: runtime === "docker" ? "failed" : "warning",
      found: message,
      advice: "set DOCKER_HOST to an engine that answers, or LOCKKEEPER_RUNTIME=process for code that you trust"
    })
  })
}

const lineOf = ({ advice, check, found, status }: Shown): string =>
  [
    `${status.padEnd(8)} ${check.padEnd(20)} ${found}`,
    ...(advice === undefined ? [] : [`${" ".repeat(30)}${advice}`])
  ].join("\n")

const doctor = Effect.gen(function* () {
  const options = yield* settings
  const findings: ReadonlyArray<Shown> = [...(yield* aboutDatabase(options)), yield* aboutEngine(options)]
  yield* Effect.forEach(findings, (finding) => Console.log(lineOf(finding)))
  const failed = findings.filter(({ status }) => status === "failed").length
  yield* Console.log(failed === 0 ? "nothing has to be mended" : `to be mended: ${failed}`)
  if (failed > 0) process.exitCode = 1
})

doctor.pipe(
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(`the doctor did not look: ${startFailure(cause)}`)
  ),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
