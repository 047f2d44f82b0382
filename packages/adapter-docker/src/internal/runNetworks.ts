// The network of a Run: its own, in its block. It is found by its labels, and what there is of it is used again; one in
// another block, or one where another network is, is a conflict.

import type { RunId } from "@lockkeeper/core/domain/Run"
import { format, gatewayOf, type Subnet } from "@lockkeeper/core/domain/Subnet"
import { ProviderError, type RunOwner } from "@lockkeeper/core/port/Provider"
import type { SubnetLease } from "@lockkeeper/core/port/SubnetPool"
import type Dockerode from "dockerode"
import { Effect } from "effect"
import { call, decoded, orAbsent, patience } from "./call.ts"
import type { EngineError } from "./EngineError.ts"
import { filterOf, type Labels, leaseLabels, type Owner, ownerLabels, runLabels } from "./labels.ts"
import { list, type NetworkListed, subnetsOf } from "./networks.ts"
import { EngineId } from "./references.ts"

/** The networks of a Run, of which there is at most one unless two were made at once. */
export const find = (
  docker: Dockerode,
  owner: Owner,
  run: RunId
): Effect.Effect<ReadonlyArray<NetworkListed>, EngineError> => list(docker, filterOf(owner, "run", { run }))

/** The labels of the networks of all Runs. */
export const labels = (docker: Dockerode, owner: Owner): Effect.Effect<ReadonlyArray<Labels>, EngineError> =>
  Effect.map(list(docker, filterOf(owner, "run")), (found) => found.map(({ Labels }) => Labels ?? {}))

/** The id of the network of a Run, if there is one. */
export const idOf = Effect.fnUntraced(function* (docker: Dockerode, owner: Owner, run: RunId) {
  const [network] = yield* find(docker, owner, run)
  return network === undefined ? undefined : yield* decoded("networks", EngineId)(network.Id)
})

/** Makes sure that a Run has its network. */
export const ensure = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner,
  of: RunOwner,
  lease: SubnetLease
): Effect.fn.Return<void, EngineError | ProviderError> {
  const [present] = yield* find(docker, owner, of.run)
  if (present !== undefined) return yield* adopt(present, of, lease.subnet)
  yield* Effect.mapError(Effect.uninterruptible(make(docker, owner, of, lease)), (error) =>
    error.reason === "overlap" || error.reason === "conflict"
      ? conflict(`the network of ${of.run} cannot be made: ${error.detail}`)
      : error
  )
})

const conflict = (detail: string) => new ProviderError({ reason: "name_conflict", detail })

const adopt = (network: NetworkListed, { run, tenant }: RunOwner, subnet: Subnet) => {
  const isSame = subnetsOf(network).some((block) => format(block) === format(subnet))
  return isSame && network.Labels?.["lockkeeper.tenant"] === tenant
    ? Effect.void
    : Effect.fail(conflict(`the network of ${run} is there, and is another one`))
}

const make = (docker: Dockerode, owner: Owner, of: RunOwner, lease: SubnetLease) =>
  call("create network", patience.long, (abortSignal) =>
    docker.createNetwork({
      Name: `lockkeeper-${of.run}`,
      CheckDuplicate: true,
      Driver: "bridge",
      IPAM: { Driver: "default", Config: [{ Subnet: format(lease.subnet), Gateway: gatewayOf(lease.subnet) }] },
      Labels: { ...ownerLabels(owner, "run"), ...leaseLabels(lease), ...runLabels(of) },
      abortSignal
    })
  )

/** Removes a network; one that is gone is no error. */
export const remove = (docker: Dockerode, { Id }: NetworkListed): Effect.Effect<void, EngineError> =>
  Effect.flatMap(decoded("networks", EngineId)(Id), (id) =>
    call("remove network", patience.short, (abortSignal) => docker.getNetwork(id).remove({ abortSignal }))
  ).pipe(orAbsent, Effect.asVoid)
