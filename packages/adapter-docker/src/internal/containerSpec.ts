// What a container is created from, as data for the engine: hardened unless said otherwise, bounded in everything, reached
// only by its own network. Pure: golden tests need no engine. No engine socket is ever mounted, nothing is privileged.

import { type CommandSpec, itemVariable, type WorkloadSpec } from "@lockkeeper/core/port/ContainerRuntime"
import { Redacted } from "effect"
import { type Labels, type Owner, ownerLabels, untilLabel, workloadLabels } from "./labels.ts"

/** How much a container may use. `pids` counts threads too. */
export interface ContainerLimits {
  readonly memoryBytes: number
  readonly cpus: number
  readonly pids: number
}

/** Where a container is connected: its network, and its address there. */
export interface Placement {
  readonly network: string
  readonly address: string
}

/** What `POST /containers/create` takes, as far as it is used here. */
export interface ContainerOptions {
  readonly name: string
  readonly Image: string
  readonly Cmd?: Array<string>
  readonly Entrypoint?: Array<string>
  readonly Env: Array<string>
  readonly User?: string
  readonly WorkingDir?: string
  readonly Labels: Record<string, string>
  readonly NetworkingConfig?: {
    readonly EndpointsConfig: Record<
      string,
      { readonly IPAMConfig: { readonly IPv4Address?: string }; readonly Aliases?: Array<string> }
    >
  }
  readonly HostConfig: ReturnType<typeof hardened> & { readonly CapAdd?: Array<string> }
}

/** What every container is held to. Output that nobody reads is bounded as well. */
export const hardened = (limits: ContainerLimits, network: string) => ({
  NetworkMode: network,
  CapDrop: ["ALL"],
  SecurityOpt: ["no-new-privileges"],
  Privileged: false,
  Init: true,
  Memory: limits.memoryBytes,
  MemorySwap: limits.memoryBytes,
  NanoCpus: Math.round(limits.cpus * 1e9),
  PidsLimit: limits.pids,
  RestartPolicy: { Name: "no" },
  LogConfig: { Type: "json-file", Config: { "max-size": "16m", "max-file": "2" } }
})

const environmentOf = ({ env }: WorkloadSpec, port: number, item?: string): Array<string> => [
  ...[...env].map(([key, value]) => `${key}=${Redacted.value(value)}`),
  `PORT=${port}`,
  ...(item === undefined ? [] : [`${itemVariable}=${item}`])
]

const endpoint = ({ address, network }: Placement): NonNullable<ContainerOptions["NetworkingConfig"]> => ({
  EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: address } } }
})

/** A Workload that listens on this port, at an address that is its own for as long as it exists. */
export const workloadOptions = (
  spec: WorkloadSpec,
  owner: Owner,
  limits: ContainerLimits,
  placement: Placement,
  port: number
): ContainerOptions => ({
  name: spec.name,
  Image: spec.image,
  Env: environmentOf(spec, port),
  Labels: { ...ownerLabels(owner, "workload"), ...workloadLabels(spec, placement.address) },
  NetworkingConfig: endpoint(placement),
  HostConfig: hardened(limits, placement.network)
})

/** A command where a Workload would run; its program replaces the image's entry point. */
export const commandOptions = (
  spec: CommandSpec,
  owner: Owner,
  limits: ContainerLimits,
  placement: Placement,
  port: number
): ContainerOptions => {
  const [program, ...args] = spec.command
  return {
    name: spec.name,
    Image: spec.image,
    Entrypoint: [program],
    Cmd: args,
    Env: environmentOf(spec, port, spec.item),
    Labels: { ...ownerLabels(owner, "workload"), ...workloadLabels(spec, placement.address) },
    NetworkingConfig: endpoint(placement),
    HostConfig: hardened(limits, placement.network)
  }
}

/** What a helper for one operation is made from. */
export interface HelperSpec {
  readonly name: string
  readonly image: string
  readonly command: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
  readonly network: string
  /** Where the volume of this operation is mounted; the only place on a disk that can be written to. */
  readonly volume: { readonly name: string; readonly target: string }
  /** A directory in memory, for this user alone. */
  readonly memory: string
  readonly lifetimeSeconds: number
}

/** The user that helpers run as: `nobody`, which every image has and which owns nothing. */
const nobody = 65_534

/** What `POST /containers/create` takes for a helper. */
export interface HelperOptions extends Omit<ContainerOptions, "HostConfig"> {
  readonly HostConfig: ContainerOptions["HostConfig"] & {
    readonly ReadonlyRootfs: true
    readonly Tmpfs: Record<string, string>
    readonly Mounts: Array<{ readonly Type: "volume"; readonly Source: string; readonly Target: string }>
  }
}

const helperLimits: ContainerLimits = { memoryBytes: 1024 ** 3, cpus: 2, pids: 256 }

/** The labels of a helper, and of its volume. */
export const helperLabels = (owner: Owner, until: number): Labels => ({
  ...ownerLabels(owner, "helper"),
  ...untilLabel(until)
})

/** A helper that can read what it was given and write to its volume and its memory, and nothing else. */
export const helperOptions = (spec: HelperSpec, labels: Labels): HelperOptions => ({
  name: spec.name,
  Image: spec.image,
  Entrypoint: spec.command.slice(0, 1),
  Cmd: spec.command.slice(1),
  Env: Object.entries(spec.environment).map(([key, value]) => `${key}=${value}`),
  User: `${nobody}:${nobody}`,
  WorkingDir: spec.memory,
  Labels: { ...labels },
  HostConfig: {
    ...hardened(helperLimits, spec.network),
    ReadonlyRootfs: true,
    Tmpfs: { [spec.memory]: `rw,noexec,nosuid,nodev,size=16m,mode=0700,uid=${nobody},gid=${nobody}` },
    Mounts: [{ Type: "volume", Source: spec.volume.name, Target: spec.volume.target }]
  }
})
