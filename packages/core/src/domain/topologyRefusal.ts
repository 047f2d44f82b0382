// What is wrong with a Topology whose parts are each well-formed. The first thing in the order of names is said, so that the
// order in which nodes were declared does not show.
import { Result, Schema } from "effect"
import { isMutable } from "./imageVersion.ts"
import { ImageReference } from "./Source.ts"
import { byName, startOrder, type Waiting } from "./startOrder.ts"
import { NodeName, type Topology, type TopologyNode } from "./Topology.ts"

/**
 * The parts of a Topology do not fit together. `node` is where; `nodes` is it alone, or all of a `cycle`, each before the
 * one that it waits for.
 */
export class InvalidTopology extends Schema.TaggedError<InvalidTopology>()("InvalidTopology", {
  reason: Schema.Literals([
    "duplicate_node",
    "image_or_source",
    "duplicate_port",
    "no_port",
    "unknown_dependency",
    "cycle",
    "unknown_node",
    "duplicate_step",
    "no_address",
    "unsupported_image"
  ]),
  node: NodeName,
  nodes: Schema.Array(NodeName),
  detail: Schema.String
}) {
  override readonly message = this.detail
}

/** The image of a node has no version, or the tag `latest`: it may be another one tomorrow. */
export class MutableImage extends Schema.TaggedError<MutableImage>()("MutableImage", {
  node: NodeName,
  reference: ImageReference
}) {
  override readonly message = `the image ${this.reference} of the node ${this.node} has no version`
}

/** The image that a node is declared with, if it is to be one. */
export const imageOf = ({ image, source }: TopologyNode): ImageReference | undefined =>
  image ?? (source?.type === "image" ? source.reference : undefined)

/** The nodes in the order of their names. */
export const inOrder = (nodes: ReadonlyArray<TopologyNode>): ReadonlyArray<TopologyNode> =>
  [...nodes].sort((a, b) => byName(a.name, b.name))

/** Who waits for whom, each once and in the order of names. */
export const waitingOf = (nodes: ReadonlyArray<TopologyNode>): Waiting<NodeName> =>
  new Map(nodes.map(({ dependsOn = [], name }) => [name, [...new Set(dependsOn)].sort(byName)]))

/** What is wrong with a Topology wherever it is to run, if anything is. */
export const refusalOf = (topology: Topology): InvalidTopology | MutableImage | undefined => {
  const nodes = inOrder(topology.nodes)
  return duplicateNode(nodes) ?? refusedNode(nodes) ?? unknownDependency(nodes) ?? cycle(nodes) ?? refusedStep(topology)
}

/** That two nodes which share the addresses of one host listen on the same port, if two do. */
export const sharedPort = (topology: Topology): InvalidTopology | undefined => {
  const taken = new Map<number, NodeName>()
  for (const { name, ports = [] } of inOrder(topology.nodes)) {
    for (const port of ports) {
      const other = taken.get(port)
      if (other !== undefined) return invalid("duplicate_port", name, `${name} and ${other} share the port ${port}`)
      taken.set(port, name)
    }
  }
  return undefined
}

/** That a Subnet has no address for this node. */
export const noAddress = (node: NodeName): InvalidTopology =>
  invalid("no_address", node, `the subnet has no address for the node ${node}`)

/** That nodes cannot be made from images where a Run is to be made, if one of them is to be. */
export const unsupportedImage = (topology: Topology): InvalidTopology | undefined => {
  const node = inOrder(topology.nodes).find((it) => imageOf(it) !== undefined)
  return (
    node && invalid("unsupported_image", node.name, `the node ${node.name} is an image: processes run sources alone`)
  )
}

const invalid = (reason: InvalidTopology["reason"], node: NodeName, detail: string): InvalidTopology =>
  new InvalidTopology({ reason, node, nodes: [node], detail })

const duplicateNode = (nodes: ReadonlyArray<TopologyNode>) => {
  const twice = nodes.find(({ name }, index) => name === nodes[index - 1]?.name)?.name
  return twice && invalid("duplicate_node", twice, `two nodes have the name ${twice}`)
}

const refusedNode = (nodes: ReadonlyArray<TopologyNode>) => {
  for (const { name, ...node } of nodes) {
    const { healthCheck, image, ports = [], source } = node
    if ((image === undefined) === (source === undefined)) {
      return invalid("image_or_source", name, `the node ${name} needs an image or a source, and not both`)
    }
    const reference = imageOf({ name, ...node })
    if (reference !== undefined && isMutable(reference)) return new MutableImage({ node: name, reference })
    if (new Set(ports).size < ports.length) {
      return invalid("duplicate_port", name, `the node ${name} has a port twice`)
    }
    if (healthCheck !== undefined && ports.length === 0) {
      return invalid("no_port", name, `the node ${name} has a health check and no port to ask`)
    }
  }
  return undefined
}

const unknownDependency = (nodes: ReadonlyArray<TopologyNode>) => {
  const waiting = waitingOf(nodes)
  for (const [name, others] of waiting) {
    const unknown = others.find((other) => !waiting.has(other))
    if (unknown === undefined) continue
    return invalid("unknown_dependency", name, `the node ${name} waits for ${unknown}, which is no node`)
  }
  return undefined
}

const cycle = (nodes: ReadonlyArray<TopologyNode>) => {
  const order = startOrder(waitingOf(nodes))
  if (Result.isSuccess(order)) return undefined
  const [node] = order.failure
  const path = [...order.failure, node].join(" waits for ")
  return node && new InvalidTopology({ reason: "cycle", node, nodes: order.failure, detail: path })
}

const refusedStep = ({ nodes, steps }: Topology) => {
  const names = new Set(nodes.map(({ name }) => name))
  const seen = new Set<string>()
  for (const { name, node } of steps) {
    if (!names.has(node)) return invalid("unknown_node", node, `the step ${name} is for ${node}, which is no node`)
    if (seen.has(name)) return invalid("duplicate_step", node, `two steps have the name ${name}`)
    seen.add(name)
  }
  return undefined
}
