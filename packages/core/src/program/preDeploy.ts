// The command that an App runs once in its new image while the previous version still serves, such as a migration.
import { Effect } from "effect"
import type { Env } from "../domain/Env.ts"
import { type ImageDigest, WorkloadName } from "../domain/Workload.ts"
import type { Claim, LeaseLost } from "../port/Claim.ts"
import type { ContainerRuntime, RuntimeError } from "../port/ContainerRuntime.ts"
import type { Journal } from "../port/Journal.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { LogWriter } from "./DeploymentLog.ts"
import { StepFailed, within } from "./deploySteps.ts"
import type { Replica } from "./Replica.ts"
import { runCommand } from "./runCommand.ts"

/**
 * Runs the App's command, if it has one and this Deployment fetched or built its image: one of an earlier Release was made
 * ready when it was new. A Deployment fails whose command ends with another code than 0, or of which it cannot be written that
 * nothing of it is left.
 */
export const preDeploy = Effect.fn("preDeploy")(function* (
  { app, deployment, fence }: Claim,
  image: ImageDigest,
  env: Env,
  log: LogWriter
): Effect.fn.Return<void, RuntimeError | StepFailed | LeaseLost | StoreError, ContainerRuntime | Journal | Replica> {
  const { id, port, preDeploy: command, tenant } = app
  if (command === null || deployment.image !== null) return
  const name = WorkloadName.make(`${deployment.id}-${fence}-pre`)
  yield* log.say({ stream: "system", line: `running ${command.join(" ")}` })

  const spec = { name, tenant, app: id, work: deployment.id, fence, image, env, port, command }
  const run = within("preDeploy", runCommand(spec, log.say))
  const { exitCode, reason } = yield* Effect.catchTag(run, "RuntimeError", notStarted)
  if (exitCode !== 0) return yield* failed(`the command before the deploy ${reason}`)
  yield* log.say({ stream: "system", line: `${command[0]} ${reason}` })
})

const notStarted = (error: RuntimeError) =>
  Effect.fail(error.reason === "start_failed" || error.reason === "name_conflict" ? failed(error.detail) : error)

const failed = (detail: string): StepFailed => new StepFailed({ failure: { code: "pre_deploy_failed", detail } })
