// How what is ours is told from everything else on an engine. Containers inherit the labels of their image, so images have
// keys of their own. Pure.

import type { WorkloadSpec } from "@lockkeeper/core/port/ContainerRuntime"
import { Option, Schema } from "effect"
import { isJobId, type WorkId } from "@lockkeeper/core/domain/Job"
import { Fence, type ReplicaId } from "@lockkeeper/core/domain/Lease"
import { RunId } from "@lockkeeper/core/domain/Run"
import { WorkloadName } from "@lockkeeper/core/domain/Workload"
import type { RunOwner } from "@lockkeeper/core/port/Provider"
import { PoolName, SubnetOwner } from "@lockkeeper/core/port/SubnetPool"
import { randomBytes } from "node:crypto"
import type { InstallationId } from "../InstallationId.ts"

/** Which Lockkeeper a thing belongs to: several may share an engine, and none touches what is another's. */
export interface Owner {
  readonly installation: InstallationId
  readonly replica: ReplicaId
  /** This very maker: what an earlier one of the same replica left is nobody's. */
  readonly process: string
}

/** An owner that never was before. */
export const newOwner = (installation: InstallationId, replica: ReplicaId): Owner => ({
  installation,
  replica,
  process: randomBytes(8).toString("hex")
})

/** One creation of a container: where its answer is lost, it is known by this whether it was made. */
export const newAttempt = (): string => randomBytes(8).toString("hex")

/** What it carries besides. */
export const attemptLabel = (attempt: string): Labels => ({ [key("attempt")]: attempt })

/** Whether something was made by this creation. */
export const isOfAttempt = (labels: Labels, attempt: string): boolean => labels[key("attempt")] === attempt

/** What a container, network or volume is for. */
export type Kind = "workload" | "helper" | "network" | "node" | "run"

const key = (name: string): string => `lockkeeper.${name}`

/** What every object of ours carries. */
export const ownerLabels = (
  { installation, process, replica }: Owner,
  kind: Kind
): Readonly<Record<string, string>> => ({
  [key("installation")]: installation,
  [key("kind")]: kind,
  [key("replica")]: replica,
  [key("process")]: process
})

/** What a Workload carries besides: whose it is, and the address that it has for as long as it exists. */
export const workloadLabels = (
  { app, fence, name, tenant, work }: WorkloadSpec,
  address: string
): Readonly<Record<string, string>> => ({
  [key("workload")]: name,
  [key("tenant")]: tenant,
  [key("app")]: app,
  [kindOf(work)]: work,
  [key("fence")]: String(fence),
  [key("address")]: address
})

const HeldBlock = Schema.Struct({ pool: PoolName, owner: SubnetOwner, fence: Fence })

/** A block in the pool, by who holds it under which Fence. */
type HeldBlock = typeof HeldBlock.Type

const decodeLease = Schema.decodeUnknownOption(HeldBlock)

const kindOf = (work: WorkId): string => key(isJobId(work) ? "job" : "deployment")

/** What a network carries besides: the lease under which it has its block. */
export const leaseLabels = ({ fence, owner, pool }: HeldBlock): Labels => ({
  [key("pool")]: pool,
  [key("lease")]: owner,
  [key("fence")]: String(fence)
})

/** The lease of a network, from its labels. One that was made before there were leases has none. */
export const leaseOf = (labels: Labels): HeldBlock | undefined =>
  Option.getOrUndefined(
    decodeLease({ pool: labels[key("pool")], owner: labels[key("lease")], fence: Number(labels[key("fence")]) })
  )

/** What something that lives for one operation carries besides: when nobody needs it any more, in seconds of the epoch. */
export const untilLabel = (seconds: number): Readonly<Record<string, string>> => ({ [key("until")]: String(seconds) })

/** What the images of an installation carry. */
export const imageLabel = ({ installation }: Owner): readonly [string, string] => [
  "lockkeeper.image.installation",
  installation
]

/** A filter for what is ours, of one kind. */
export const filterOf = ({ installation }: Owner, kind: Kind, more: Readonly<Record<string, string>> = {}) => ({
  label: [
    `${key("installation")}=${installation}`,
    `${key("kind")}=${kind}`,
    ...Object.entries(more).map(([name, value]) => `${key(name)}=${value}`)
  ]
})

/** Labels as the engine answers them. */
export type Labels = Readonly<Record<string, string>>

/** Whether something is a Workload of this installation, under this name. */
export const isWorkload = (labels: Labels, { installation }: Owner, name: string): boolean =>
  labels[key("installation")] === installation && labels[key("kind")] === "workload" && labels[key("workload")] === name

/** Whether it was made for this very spec. */
export const isOf = (labels: Labels, { fence, work }: WorkloadSpec): boolean =>
  labels[kindOf(work)] === work && labels[key("fence")] === String(fence)

/** The name of a Workload, from its labels. */
export const workloadNameOf = (labels: Labels): WorkloadName | undefined =>
  Option.getOrUndefined(Schema.decodeUnknownOption(WorkloadName)(labels[key("workload")]))

/** The Tenant that something belongs to. */
export const tenantOf = (labels: Labels): string | undefined => labels[key("tenant")]

/** The address that a Workload was given. */
export const addressOf = (labels: Labels): string | undefined => labels[key("address")]

/** Whether a helper is left over: from a process of this replica that is no more, or from anybody, after its time. */
export const isLeftOver = (labels: Labels, owner: Owner, nowSeconds: number): boolean => {
  const isEarlier = labels[key("replica")] === owner.replica && labels[key("process")] !== owner.process
  return isEarlier || Number(labels[key("until")] ?? 0) < nowSeconds
}

/** What everything of a Run carries besides. Its network has the Fence of its block, its containers that of the Run. */
export const runLabels = ({ run, tenant }: Omit<RunOwner, "fence">): Labels => ({
  [key("run")]: run,
  [key("tenant")]: tenant
})

/** What a container of a Run carries besides: its node, and the step that it takes there, if it does. */
export const nodeLabels = (owner: RunOwner, node: string, step?: string): Labels => ({
  ...runLabels(owner),
  [key("fence")]: String(owner.fence),
  [key("node")]: node,
  ...(step === undefined ? {} : { [key("step")]: step })
})

/** The Run that something belongs to. */
export const runOf = (labels: Labels): RunId | undefined =>
  Option.getOrUndefined(Schema.decodeUnknownOption(RunId)(labels[key("run")]))

/** Whether something is a container of this Run, for this node, and not for a step. */
export const isNode = (labels: Labels, { installation }: Owner, run: string, node: string): boolean =>
  labels[key("installation")] === installation &&
  labels[key("kind")] === "node" &&
  labels[key("run")] === run &&
  labels[key("node")] === node &&
  labels[key("step")] === undefined

/** What of a Run a container is, for a person. */
export const partOf = (labels: Labels): string => {
  const step = labels[key("step")]
  return `the ${step === undefined ? "node" : `step ${step} of the node`} ${labels[key("node")] ?? "without a name"}`
}
