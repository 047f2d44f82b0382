// The blocks of Tenants' networks on the real engine: held while the network is there, given back when it is gone, also by
// somebody else, and refused before anything is made.

import { assert, it } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { format, parse, type Subnet } from "@lockkeeper/core/domain/Subnet"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { MemoryState, type MemoryTables } from "@lockkeeper/core/port/MemoryState"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { SubnetOwner, SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { Duration, Effect, Layer } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import { docker } from "../../../test/harness/engine.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import type { InstallationId } from "../src/InstallationId.ts"
import { newOwner, ownerLabels } from "../src/internal/labels.ts"
import * as Networks from "../src/internal/networks.ts"
import { freshInstallation, nothing, runtime, sleeping, specOf } from "./support/engine.ts"

const blockOf = (text: string): Subnet => parse(text) ?? assert.fail(text)

/** Pools in memory that can be looked into, and a runtime whose networks are blocks of 256 addresses in a range. */
const observed = Effect.fnUntraced(function* (range: string) {
  const context = yield* Layer.build(Layer.provideMerge(SubnetPool.layerMemory, Layer.fresh(MemoryState.layer)))
  const [subnets, state] = yield* Effect.provideContext(Effect.all([SubnetPool, MemoryState]), context)
  const installation = freshInstallation()
  const networks = { range: blockOf(range), prefix: 24 }
  const made = yield* runtime({ installation, networks }, Layer.succeed(SubnetPool, subnets))
  const keep = Networks.keep(docker, newOwner(installation, ReplicaId.make("one")), { ...networks, subnets })
  return { made, keep, state, subnets, installation, networks }
})

const held = ({ subnets }: MemoryTables) => [...subnets.values()].map(({ lease }) => format(lease.subnet))

/** All leases are over. */
const lapse = ({ subnets }: MemoryTables) => {
  for (const [key, row] of subnets) subnets.set(key, { ...row, until: 0 })
}

const other = TenantName.make("other")

const tenant = TenantName.make("acme")

const networksOf = (installation: string) =>
  Effect.promise(async () => {
    const filters = { label: [`lockkeeper.installation=${installation}`] }
    return (await docker.listNetworks({ filters })).map(({ Id }) => Id)
  })

/** A network of the Tenant that nobody uses. */
const unused = (installation: InstallationId, subnet: string) =>
  Effect.promise(() => {
    const labels = ownerLabels(newOwner(installation, ReplicaId.make("one")), "network")
    return docker.createNetwork({
      Name: `rival-${freshInstallation()}`,
      Labels: { ...labels, "lockkeeper.tenant": tenant },
      IPAM: { Driver: "default", Config: [{ Subnet: subnet }] }
    })
  })

/** The engine, on which the networks that there are appear only after another one was made, as if they were younger. */
const late = Effect.map(
  Effect.promise(() => docker.listNetworks()),
  (there) => {
    const known = new Set(there.map(({ Id }) => Id))
    let isMade = false
    const listed = async (options: Parameters<typeof docker.listNetworks>[0]) =>
      (await docker.listNetworks(options)).flatMap((network) =>
        known.has(network.Id) ? (isMade ? [{ ...network, Created: "2999-01-01T00:00:00Z" }] : []) : [network]
      )
    const made = async (options: Parameters<typeof docker.createNetwork>[0]) => {
      const network = await docker.createNetwork(options)
      isMade = true
      return network
    }
    return new Proxy(docker, {
      get: (target, key): unknown => {
        if (key === "listNetworks") return listed
        return key === "createNetwork" ? made : Reflect.get(target, key)
      }
    })
  }
)

describeWith("docker")("of two networks of a Tenant that two first starts made", () => {
  it.live("INV-15: the one stays that a Workload is on already, though the other one is older", () =>
    Effect.gen(function* () {
      const { installation, made, networks, subnets } = yield* observed("10.250.20.0/22")
      yield* made.start(specOf(yield* made.buildOf(sleeping)))
      const before = yield* networksOf(installation)
      const owner = newOwner(installation, ReplicaId.make("two"))
      const { id } = yield* Networks.ensure(yield* late, owner, tenant, { ...networks, subnets })
      assert.deepStrictEqual([yield* networksOf(installation), [id]], [before, before])
    })
  )

  it.live("INV-15: the older one stays while nobody is on either, and whose start had found the other makes none", () =>
    Effect.gen(function* () {
      const { installation, networks, subnets } = yield* observed("10.250.24.0/22")
      const rival = yield* unused(installation, "10.250.25.0/24")
      const owner = newOwner(installation, ReplicaId.make("two"))
      const { id } = yield* Networks.ensure(yield* late, owner, tenant, { ...networks, subnets })
      assert.notStrictEqual(String(id), rival.id)
      assert.deepStrictEqual(yield* networksOf(installation), [id])
      assert.strictEqual((yield* Networks.ensure(docker, owner, tenant, { ...networks, subnets })).id, id)
    })
  )

  it.live("INV-15: that are both there the younger one goes as soon as nobody is on it", () =>
    Effect.gen(function* () {
      const { installation, made } = yield* observed("10.250.28.0/22")
      yield* made.start(specOf(yield* made.buildOf(sleeping)))
      const before = yield* networksOf(installation)
      yield* unused(installation, "10.250.31.0/24")
      assert.lengthOf(yield* networksOf(installation), 2)
      yield* eventually(
        "the younger one is removed",
        networksOf(installation),
        (seen) => seen.length === 1 && seen[0] === before[0],
        "15 seconds"
      )
    })
  )
})

describeWith("docker")("the block of a network on Docker", () => {
  it.live(
    "INV-15 H11: is held while the network is there; when none is left the next Tenant is refused, and nothing of it is made",
    () =>
      Effect.gen(function* () {
        const { made, state } = yield* observed("10.250.7.0/24")
        const image = yield* made.buildOf(sleeping)
        const one = yield* made.start(specOf(image))
        assert.deepStrictEqual(held(state), ["10.250.7.0/24"])
        const before = yield* made.left
        const error = yield* Effect.flip(made.start(specOf(image, { tenant: other })))
        assert.deepStrictEqual(
          [error.reason, error.detail.includes("no free block of addresses")],
          ["start_failed", true]
        )
        assert.deepStrictEqual(yield* made.left, before)

        yield* made.stop(one.name, one.id)
        assert.deepStrictEqual(
          [yield* made.left, held(state), [...state.resting.keys()]],
          [nothing, [], ["10.250.7.0/24"]]
        )
        state.resting.clear()
        yield* made.start(specOf(image, { tenant: other }))
        assert.deepStrictEqual(held(state), ["10.250.7.0/24"])
      })
  )

  it.live("INV-8: of a start that was given up meanwhile is removed in seconds, and one that somebody uses stays", () =>
    Effect.gen(function* () {
      const { installation, made } = yield* observed("10.250.4.0/24")
      yield* made.start(specOf(yield* made.buildOf(sleeping)))
      const before = yield* made.left
      const labels = ownerLabels(newOwner(installation, ReplicaId.make("one")), "network")
      const stray = yield* Effect.promise(() =>
        docker.createNetwork({ Name: `stray-${installation}`, Labels: { ...labels, "lockkeeper.tenant": other } })
      )
      const isThere = Effect.promise(() =>
        stray.inspect().then(
          () => true,
          () => false
        )
      )
      yield* eventually("it is removed", isThere, (is) => !is, "15 seconds")
      assert.deepStrictEqual(yield* made.left, before)
    })
  )

  it.live("INV-15: is none that the engine has or the host routes", () =>
    Effect.gen(function* () {
      const name = `foreign-${freshInstallation()}`
      yield* Effect.acquireRelease(
        Effect.promise(() =>
          docker.createNetwork({ Name: name, IPAM: { Driver: "default", Config: [{ Subnet: "10.250.9.128/26" }] } })
        ),
        (network) => Effect.promise(() => network.remove())
      )
      const { made, state } = yield* observed("10.250.8.0/23")
      const image = yield* made.buildOf(sleeping)
      yield* made.start(specOf(image))
      const error = yield* Effect.flip(made.start(specOf(image, { tenant: other })))
      assert.deepStrictEqual([error.reason, held(state)], ["start_failed", ["10.250.8.0/24"]])
    })
  )

  it.live("H34 H12: is kept by who sees the network, and given back by who sees that there is none", () =>
    Effect.gen(function* () {
      const { keep, made, networks, state, subnets } = yield* observed("10.250.12.0/22")
      yield* made.start(specOf(yield* made.buildOf(sleeping)))
      yield* keep
      const [{ lease } = assert.fail("a lease")] = [...state.subnets.values()]
      const pool = { ...networks, name: lease.pool, rest: Duration.zero }
      const crashed = { pool, owner: SubnetOwner.make("crashed/0"), ttl: Duration.minutes(1), taken: [] }
      yield* subnets.reserve(crashed)
      assert.lengthOf(held(state), 2)
      yield* keep
      assert.lengthOf(held(state), 2)
      lapse(state)
      yield* keep
      assert.deepStrictEqual(held(state), [format(lease.subnet)])

      // Somebody claims what is lapsed before it is seen: as long as the network is there, nobody is given its block.
      lapse(state)
      yield* subnets.claimLapsed(lease.pool, Duration.zero, 10)
      yield* keep
      assert.deepStrictEqual(held(state), [format(lease.subnet)])
    })
  )

  it.live("E9: without the pool no network is made, and what is there is stopped all the same", () =>
    Effect.gen(function* () {
      const { installation, made, subnets } = yield* observed("10.250.16.0/22")
      const image = yield* made.buildOf(sleeping)
      const one = yield* made.start(specOf(image))
      const away = Effect.fail(new StoreError({ operation: "test", reason: "unavailable", cause: "a test" }))
      const gone = SubnetPool.of({ ...subnets, reserve: () => away, release: () => away })
      const without = yield* runtime({ installation }, Layer.succeed(SubnetPool, gone))
      const error = yield* Effect.flip(without.start(specOf(image, { tenant: other })))
      assert.strictEqual(error.reason, "engine_unavailable")
      yield* without.start(specOf(image))
      yield* without.stop(one.name, one.id)
      assert.deepStrictEqual(yield* without.left, { ...nothing, containers: 1, networks: 1 })
    })
  )
})
