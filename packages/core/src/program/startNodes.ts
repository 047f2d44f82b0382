// Starts the nodes of a Run, each as soon as what it waits for is ready. Nothing is done in waves.
import { Effect, Latch } from "effect"
import type { PlanNode } from "../domain/Plan.ts"
import { Env } from "../domain/Env.ts"
import { type NodeName, variablesOf } from "../domain/Topology.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { HealthProbe } from "../port/HealthProbe.ts"
import type { NodeSpec } from "../port/Provider.ts"
import type { RunStore } from "../port/RunStore.ts"
import type { SourceFetcher } from "../port/SourceFetcher.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { Provision } from "./provision.ts"
import { ownerOf, type RunFailed, type RunPlace } from "./RunInHand.ts"
import { nodeImage, startNode } from "./startNode.ts"

/** What each node of a Run was started with. */
export type StartedNodes = ReadonlyMap<NodeName, NodeSpec>

/**
 * Starts all nodes, each when all that it waits for are ready, and answers when all are ready. With the first one that is
 * not, the others are given up. What is built from a Source is built while what it waits for starts.
 */
export const startNodes = Effect.fn("startNodes")(function* (
  place: RunPlace,
  provision: Provision
): Effect.fn.Return<StartedNodes, RunFailed | LeaseLost | StoreError, HealthProbe | RunStore | SourceFetcher> {
  const { nodes } = provision.plan
  const ready = new Map(nodes.map(({ name }) => [name, Latch.makeUnsafe()] as const))
  const isReady = (name: NodeName) => ready.get(name)?.await ?? Effect.void

  const started = Effect.fnUntraced(function* (node: PlanNode) {
    const image = yield* nodeImage(place, node)
    yield* Effect.forEach(node.waitsFor, isReady, { discard: true })
    const spec = specOf(place, provision, node, image)
    yield* startNode(place, spec)
    ready.get(node.name)?.openUnsafe()
    return [node.name, spec] as const
  })
  return new Map(yield* Effect.forEach(nodes, started, { concurrency: "unbounded" }))
})

const specOf = (place: RunPlace, { credentials }: Provision, node: PlanNode, image: ImageDigest): NodeSpec => {
  const { network, topology } = place.run
  const declared = topology.nodes.find(({ name }) => name === node.name)
  const given = new Set(node.credentials)
  return {
    owner: ownerOf(place),
    subnet: network?.subnet ?? null,
    node,
    image,
    env: declared === undefined ? Env.empty : variablesOf(declared),
    credentials: new Map([...credentials].filter(([name]) => given.has(name)))
  }
}
