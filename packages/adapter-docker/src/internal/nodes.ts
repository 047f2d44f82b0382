// The containers of a Run: its nodes, and beside them the steps, each in a container of its own. The engine cannot end what
// was begun inside of a container; to remove a container ends all of it.

import { ownDigest } from "@lockkeeper/core/domain/imageVersion"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import type { RunId } from "@lockkeeper/core/domain/Run"
import type { NodeName } from "@lockkeeper/core/domain/Topology"
import { Address } from "@lockkeeper/core/domain/Workload"
import {
  type NodePlace,
  type NodeSpec,
  type NodeState,
  ProviderError,
  type StepExit,
  type StepSpec
} from "@lockkeeper/core/port/Provider"
import type Dockerode from "dockerode"
import { Effect, type Scope, Stream } from "effect"
import type { ContainerLimits, ContainerOptions } from "./containerSpec.ts"
import * as Containers from "./containers.ts"
import { archiveOf, put, resultOf } from "./credentialFiles.ts"
import { ended } from "./ended.ts"
import { EngineError } from "./EngineError.ts"
import { follow } from "./follow.ts"
import * as Images from "./images.ts"
import { attemptLabel, isNode, isOfAttempt, newAttempt, type Owner } from "./labels.ts"
import { nodeContainer, nodeOptions, stepContainer, stepOptions } from "./nodeSpec.ts"
import type { EngineId, ObjectName } from "./references.ts"
import * as RunNetworks from "./runNetworks.ts"
import { exitReason } from "./workloads.ts"

/** What the containers of Runs are made with; `scope` is for as long as they are listened to. */
export interface NodeContext {
  readonly docker: Dockerode
  readonly owner: Owner
  readonly limits: ContainerLimits
  readonly scope: Scope.Scope
}

type Say = (entry: LogEntry) => Effect.Effect<void>

/** A digest of a registry is not what the engine calls the image. */
const imageOf = Effect.fnUntraced(function* (docker: Dockerode, { image, node }: NodeSpec) {
  const reference = node.image?.reference
  const seen =
    reference !== undefined && ownDigest(reference) !== undefined
      ? yield* Images.ensure(docker, reference, () => Effect.void)
      : yield* Images.inspect(docker, image)
  return (
    seen?.id ??
    (yield* new EngineError({ operation: "start", reason: "image_not_found", detail: `the image ${image} is gone` }))
  )
})

/** Removes what a creation made that was not answered; whoever else bears its name goes on. */
const removeMade = (docker: Dockerode, name: ObjectName, attempt: string) =>
  Effect.flatMap(Containers.inspect(docker, name), (seen) =>
    seen !== undefined && isOfAttempt(seen.Config.Labels ?? {}, attempt)
      ? Containers.remove(docker, seen.Id)
      : Effect.void
  )

/** Creates a container with what it is given, and starts it. Failed, nothing of it is left; what bears its name goes on. */
const begin = Effect.fnUntraced(function* (
  { docker }: NodeContext,
  options: ContainerOptions,
  name: ObjectName,
  archive: Buffer
): Effect.fn.Return<EngineId, EngineError> {
  const undone = (removal: Effect.Effect<void, EngineError>) =>
    Effect.catch(removal, (error) => Effect.logWarning(`${name} was not removed yet`, error))
  const attempt = newAttempt()
  const labelled = { ...options, Labels: { ...options.Labels, ...attemptLabel(attempt) } }
  const id = yield* Effect.tapError(Containers.create(docker, labelled), (error) =>
    error.reason === "conflict" ? Effect.void : undone(removeMade(docker, name, attempt))
  )
  yield* Effect.andThen(put(docker, id, archive), Containers.start(docker, id)).pipe(
    Effect.onError(() => undone(Containers.remove(docker, id)))
  )
  return id
}, Effect.uninterruptible)

/** Starts a node, and says what it says from then on. */
export const start = Effect.fnUntraced(function* (
  context: NodeContext,
  spec: NodeSpec,
  say: Say
): Effect.fn.Return<NodePlace, EngineError | ProviderError> {
  const { docker, limits, owner, scope } = context
  const { address, name, ports } = spec.node
  const network = yield* RunNetworks.idOf(docker, owner, spec.owner.run)
  if (network === undefined) {
    return yield* new ProviderError({ reason: "start_failed", detail: `${spec.owner.run} has no network` })
  }
  const options = nodeOptions(spec, owner, limits, network, yield* imageOf(docker, spec))
  const archive = archiveOf(spec.node, spec.credentials, false)
  const id = yield* begin(context, options, nodeContainer(spec.owner.run, name), archive)
  yield* Stream.runForEach(follow(docker, id), say).pipe(
    Effect.catch((error) => Effect.logWarning(`the node ${name} is not heard any more`, error)),
    Effect.forkIn(scope)
  )
  const [port] = ports
  return { node: name, address: port === undefined || address === null ? null : Address.make({ host: address, port }) }
})

const seenNode = Effect.fnUntraced(function* ({ docker, owner }: NodeContext, run: RunId, node: NodeName) {
  const seen = yield* Containers.inspect(docker, nodeContainer(run, node))
  return seen !== undefined && isNode(seen.Config.Labels ?? {}, owner, run, node) ? seen : undefined
})

/** What is to be seen of a node. */
export const inspect = Effect.fnUntraced(function* (
  context: NodeContext,
  run: RunId,
  node: NodeName
): Effect.fn.Return<NodeState, EngineError> {
  const seen = yield* seenNode(context, run, node)
  if (seen === undefined) return { state: "gone" }
  return seen.State.Running ? { state: "running" } : { state: "exited", reason: exitReason(seen) }
})

/** Takes a step to its end; its container is gone then, and with it whatever it began. */
export const perform = Effect.fnUntraced(function* (
  context: NodeContext,
  spec: StepSpec,
  say: Say
): Effect.fn.Return<StepExit, EngineError | ProviderError> {
  const { docker, limits, owner } = context
  const node = yield* seenNode(context, spec.owner.run, spec.node.name)
  if (node?.State.Running !== true) {
    return yield* new ProviderError({ reason: "step_failed", detail: `the node ${spec.node.name} does not run` })
  }
  const name = stepContainer(spec.owner.run, spec.step.name)
  const options = stepOptions(spec, owner, limits, node.Id, yield* imageOf(docker, spec))
  const { result } = spec.step
  return yield* Effect.acquireUseRelease(
    begin(context, options, name, archiveOf(spec.node, spec.credentials, true)),
    (id) =>
      Effect.gen(function* () {
        const seen = yield* ended(docker, id, say)
        if (seen === undefined) {
          return yield* new ProviderError({ reason: "step_failed", detail: "the step was removed while it ran" })
        }
        const file = result === null ? undefined : yield* resultOf(docker, id, result.file)
        return { exitCode: seen.State.ExitCode, file }
      }),
    (id) =>
      Effect.catch(Containers.remove(docker, id), (error) => Effect.logWarning(`${name} was not removed yet`, error))
  )
})
