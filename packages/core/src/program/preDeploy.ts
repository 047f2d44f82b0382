// The command that an App runs once in its new image while the previous version still serves, such as a migration.
import { Effect, Exit } from "effect"
import type { Env } from "../domain/Env.ts"
import { type ImageDigest, WorkloadName } from "../domain/Workload.ts"
import type { Claim, LeaseLost } from "../port/Claim.ts"
import { ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import { Journal } from "../port/Journal.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { LogWriter } from "./DeploymentLog.ts"
import { StepFailed, within } from "./deploySteps.ts"
import { Replica } from "./Replica.ts"
import { releaseWorkload } from "./retire.ts"

/**
 * Runs the App's command, if it has one and this Deployment fetched or built its image: one of an earlier Release was made
 * ready when it was new. Its
 * intent is on record before it exists, and nothing of it is left, however it ends: a Deployment of which that cannot be
 * written fails, so that the Reaper sees to it. So does one whose command ends with another code than 0.
 */
export const preDeploy = Effect.fn("preDeploy")(function* (
  { app, deployment, fence }: Claim,
  image: ImageDigest,
  env: Env,
  log: LogWriter
): Effect.fn.Return<void, RuntimeError | StepFailed | LeaseLost | StoreError, ContainerRuntime | Journal | Replica> {
  const { id, port, preDeploy: command, tenant } = app
  if (command === null || deployment.image !== null) return
  const runtime = yield* ContainerRuntime
  const journal = yield* Journal
  const { id: replica } = yield* Replica
  const name = WorkloadName.make(`${deployment.id}-${fence}-pre`)
  yield* log.say({ stream: "system", line: `running ${command.join(" ")}` })

  const intent = { name, app: id, deployment: deployment.id, fence, replica }
  const spec = { name, tenant, app: id, deployment: deployment.id, fence, image, env, port, command }
  const run = within("preDeploy", runtime.run(spec, log.say, journal.confirm))
  const { exitCode, reason } = yield* Effect.acquireUseRelease(
    journal.intend(intent),
    () => Effect.tap(run, () => journal.released(name)),
    (_, exit) => (Exit.isSuccess(exit) ? Effect.void : releaseWorkload(name, undefined))
  ).pipe(Effect.catchTag("RuntimeError", notStarted))
  if (exitCode !== 0) return yield* failed(`the command before the deploy ${reason}`)
  yield* log.say({ stream: "system", line: `${command[0]} ${reason}` })
})

const notStarted = (error: RuntimeError) => Effect.fail(error.reason === "start_failed" ? failed(error.detail) : error)

const failed = (detail: string): StepFailed => new StepFailed({ failure: { code: "pre_deploy_failed", detail } })
