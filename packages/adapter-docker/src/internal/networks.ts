// One network per Tenant, with a block of addresses that nothing else on this host uses. It is found by its labels: the engine
// does not keep names unique, and then refuses to start what is connected to either. So no two have the same name, and of
// two that were made at once the older one stays, unless something is on the younger one already.

import { format, gatewayOf, parse, type Subnet } from "@lockkeeper/core/domain/Subnet"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { SubnetLease } from "@lockkeeper/core/port/SubnetPool"
import type Dockerode from "dockerode"
import { Duration, Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { call, decoded, orAbsent, patience } from "./call.ts"
import type { EngineError } from "./EngineError.ts"
import { hostRoutes } from "./hostRoutes.ts"
import * as Containers from "./containers.ts"
import { filterOf, type Labels, leaseLabels, type Owner, ownerLabels, tenantOf } from "./labels.ts"
import { givenBack, keepBlocks, leased, type NetworkPool, noBlock } from "./networkBlocks.ts"
import { EngineId } from "./references.ts"

/** A Tenant's network. */
export interface TenantNetwork {
  readonly id: EngineId
  readonly subnet: Subnet
}

const NetworksListed = Schema.Array(
  Schema.Struct({
    Id: Schema.String,
    Created: Schema.String,
    Labels: Schema.NullOr(Schema.Record(Schema.String, Schema.String)),
    IPAM: Schema.Struct({
      Config: Schema.NullOr(Schema.Array(Schema.Struct({ Subnet: Schema.optionalKey(Schema.String) })))
    })
  })
)

/** A network in a list. */
export type NetworkListed = (typeof NetworksListed.Type)[number]

/** The networks with these labels; all without. */
export const list = (docker: Dockerode, filters?: { readonly label: Array<string> }) =>
  call("networks", patience.short, (abortSignal) =>
    docker.listNetworks({ ...(filters === undefined ? {} : { filters }), abortSignal })
  ).pipe(Effect.flatMap(decoded("networks", NetworksListed)))

/** The blocks that a network has. */
export const subnetsOf = ({ IPAM }: NetworkListed): ReadonlyArray<Subnet> =>
  (IPAM.Config ?? []).flatMap(({ Subnet }) => parse(Subnet ?? "") ?? [])

const byAge = (a: NetworkListed, b: NetworkListed): number =>
  a.Created.localeCompare(b.Created) || a.Id.localeCompare(b.Id)

/** The networks of a Tenant, the oldest one first. */
const ofTenant = (docker: Dockerode, owner: Owner, tenant: TenantName) =>
  Effect.map(list(docker, filterOf(owner, "network", { tenant })), (found) => found.toSorted(byAge))

/** The network of a Tenant, if there is one. */
const find = Effect.fnUntraced(function* (docker: Dockerode, owner: Owner, tenant: TenantName) {
  const [oldest] = yield* ofTenant(docker, owner, tenant)
  const [subnet] = oldest === undefined ? [] : subnetsOf(oldest)
  if (oldest === undefined || subnet === undefined) return undefined
  return { id: yield* decoded("networks", EngineId)(oldest.Id), subnet }
})

const make = Effect.fnUntraced(function* (docker: Dockerode, owner: Owner, tenant: TenantName, lease: SubnetLease) {
  const { subnet } = lease
  const { id } = yield* call("create network", patience.long, (abortSignal) =>
    docker.createNetwork({
      Name: `lockkeeper-${owner.installation}-${tenant}-${randomBytes(4).toString("hex")}`,
      Driver: "bridge",
      IPAM: { Driver: "default", Config: [{ Subnet: format(subnet), Gateway: gatewayOf(subnet) }] },
      Labels: { ...ownerLabels(owner, "network"), ...leaseLabels(lease), "lockkeeper.tenant": tenant },
      abortSignal
    })
  )
  return yield* decoded("create network", EngineId)(id)
})

const tries = 64

/**
 * The network of a Tenant, made where there is none in a block of the pool. Blocks that the host routes or another network has
 * are never taken; a block that turns out to be taken meanwhile is passed over.
 */
export const ensure = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner,
  tenant: TenantName,
  pool: NetworkPool
): Effect.fn.Return<TenantNetwork, EngineError> {
  const refused: Array<Subnet> = []
  for (let attempt = 0; attempt < tries; attempt++) {
    const present = yield* find(docker, owner, tenant)
    if (present !== undefined) return present

    const taken = [...(yield* list(docker)).flatMap(subnetsOf), ...(yield* hostRoutes), ...refused]
    const lease = yield* leased(docker, pool, tenant, taken)
    const made = yield* Effect.result(make(docker, owner, tenant, lease))
    if (made._tag === "Success") {
      const others = yield* ofTenant(docker, owner, tenant)
      if (yield* isInTheWay(docker, pool, made.success, others)) {
        yield* removeIfUnused(docker, pool, made.success, leaseLabels(lease))
      }
    } else if (made.failure.reason === "overlap") {
      refused.push(lease.subnet)
      yield* givenBack(pool, leaseLabels(lease))
    } else {
      return yield* made.failure
    }
  }
  return yield* noBlock(pool, tenant)
})

/**
 * Whether a new network is one too many: an older one is there, or a younger one that something is on already. Its maker did
 * not see ours yet: the engine says when it began to make a network, and shows it later. A younger one that nothing is on is
 * removed.
 */
const isInTheWay = Effect.fnUntraced(function* (
  docker: Dockerode,
  pool: NetworkPool,
  id: EngineId,
  [oldest, ...younger]: ReadonlyArray<NetworkListed>
) {
  if (oldest?.Id !== id) return true
  const gone = yield* removeAll(docker, pool, younger)
  return gone.some((isGone) => !isGone)
})

/** Removes a network unless something is connected to it, and gives its block back then. Answers whether it is gone. */
const removeIfUnused = Effect.fnUntraced(function* (
  docker: Dockerode,
  pool: NetworkPool,
  id: EngineId,
  labels: Labels
) {
  const isUsed = yield* call("remove network", patience.short, (abortSignal) =>
    docker.getNetwork(id).remove({ abortSignal })
  ).pipe(
    orAbsent,
    Effect.as(false),
    Effect.catch((error) => (error.reason === "in_use" ? Effect.succeed(true) : Effect.fail(error)))
  )
  if (!isUsed) yield* givenBack(pool, labels)
  return !isUsed
})

/** Removes the network of a Tenant of which no container is left. */
export const sweepOf = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner,
  pool: NetworkPool,
  tenant: string
): Effect.fn.Return<void, EngineError> {
  yield* removeAll(docker, pool, yield* list(docker, filterOf(owner, "network", { tenant })))
})

/** How often {@link sweep} is to be done. */
export const sweepEvery = Duration.seconds(10)

/**
 * Removes the networks of this installation whose Tenant has no container, since a start that was given up while the engine made
 * its network leaves one, and those that nothing is on beside an older one. Whose start finds its network gone makes another.
 */
export const sweep = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner,
  pool: NetworkPool
): Effect.fn.Return<void, EngineError> {
  const found = yield* list(docker, filterOf(owner, "network"))
  if (found.length === 0) return
  const containers = yield* Containers.list(docker, filterOf(owner, "workload"))
  const used = new Set(containers.map(({ Labels }) => tenantOf(Labels ?? {})))
  const tenants = Map.groupBy(found.toSorted(byAge), ({ Labels }) => tenantOf(Labels ?? {}))
  const needless = [...tenants].flatMap(([tenant, networks]) => (used.has(tenant) ? networks.slice(1) : networks))
  yield* removeAll(docker, pool, needless)
})

const removeAll = (docker: Dockerode, pool: NetworkPool, found: ReadonlyArray<NetworkListed>) =>
  Effect.forEach(found, ({ Id, Labels }) =>
    Effect.flatMap(decoded("networks", EngineId)(Id), (id) => removeIfUnused(docker, pool, id, Labels ?? {}))
  )

/** Keeps the blocks of all networks of this installation on the engine, and gives back those whose network is gone. */
export const keep = (docker: Dockerode, owner: Owner, pool: NetworkPool): Effect.Effect<void, EngineError> =>
  keepBlocks(
    docker,
    pool,
    Effect.map(list(docker, filterOf(owner, "network")), (found) => found.map(({ Labels }) => Labels ?? {}))
  )
