// What the containers of a Run are created from, as data for the engine: as bounded as Workloads and nearly as hardened, each node at
// its own address in the network of its Run, each step in that of its node. Pure. No secret but those of the Env is in it:
// Credentials are files (credentialFiles.ts).

import {
  credentialsVariable,
  type NodeSpec,
  type RunOwner,
  resultsVariable,
  type StepSpec
} from "@lockkeeper/core/port/Provider"
import { Redacted } from "effect"
import { createHash } from "node:crypto"
import { type ContainerLimits, type ContainerOptions, hardened } from "./containerSpec.ts"
import { credentialsDirectory, resultsDirectory } from "./credentialFiles.ts"
import { nodeLabels, type Owner, ownerLabels } from "./labels.ts"
import { type EngineId, ObjectName } from "./references.ts"

const hashOf = (...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(parts.join("/")).digest("hex").slice(0, 12)

/** The name of a node's container. Two Runs, and two nodes of one, never share one. */
export const nodeContainer = (run: string, node: string): ObjectName =>
  ObjectName.make(`lockkeeper-${hashOf(run, node)}-${run.slice(0, 40)}-${node.slice(0, 40)}`)

/** The name of a step's container. */
export const stepContainer = (run: string, step: string): ObjectName =>
  ObjectName.make(`lockkeeper-${hashOf(run, "step", step)}-${run.slice(0, 40)}-${step.slice(0, 40)}`)

const environmentOf = ({ credentials, env, node }: NodeSpec): Array<string> => [
  ...[...env].map(([key, value]) => `${key}=${Redacted.value(value)}`),
  ...node.ports.slice(0, 1).map((port) => `PORT=${port}`),
  ...(credentials.size === 0 ? [] : [`${credentialsVariable}=${credentialsDirectory}`])
]

/**
 * What an image needs that begins as root, hands its directories to a user of its own and becomes that one, as those of
 * databases do. One that names its user has none of it.
 */
const toDropRoot = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]

const commandOf = (command: ReadonlyArray<string> | null) =>
  command === null ? {} : { Entrypoint: command.slice(0, 1), Cmd: command.slice(1) }

const labelsOf = (owner: Owner, of: RunOwner, node: string, step?: string) => ({
  ...ownerLabels(owner, "node"),
  ...nodeLabels(of, node, step)
})

/** A node in its network; others there know it by its name. Its command replaces the image's entry point. */
export const nodeOptions = (
  spec: NodeSpec,
  owner: Owner,
  limits: ContainerLimits,
  network: EngineId,
  image: string
): ContainerOptions => ({
  name: nodeContainer(spec.owner.run, spec.node.name),
  Image: image,
  ...commandOf(spec.node.command),
  Env: environmentOf(spec),
  Labels: labelsOf(owner, spec.owner, spec.node.name),
  NetworkingConfig: {
    EndpointsConfig: {
      [network]: {
        IPAMConfig: spec.node.address === null ? {} : { IPv4Address: spec.node.address },
        Aliases: [spec.node.name]
      }
    }
  },
  HostConfig: { ...hardened(limits, network), CapAdd: toDropRoot }
})

/** A step beside its node: with the image, the variables and the network of the node, in a container of its own. */
export const stepOptions = (
  spec: StepSpec,
  owner: Owner,
  limits: ContainerLimits,
  node: EngineId,
  image: string
): ContainerOptions => ({
  name: stepContainer(spec.owner.run, spec.step.name),
  Image: image,
  ...commandOf(spec.step.command),
  Env: [...environmentOf(spec), `${resultsVariable}=${resultsDirectory}`],
  Labels: labelsOf(owner, spec.owner, spec.node.name, spec.step.name),
  HostConfig: hardened(limits, `container:${node}`)
})
