// What a Topology comes to before anything of it exists: which node has which address, image and Credentials, what it waits
// for, and how it shows that it serves. Pure: the same declaration in the same Subnet is the same Plan.
import { Result, Schema } from "effect"
import { EnvKey } from "./Env.ts"
import { defaultHealthCheck, HealthCheck } from "./HealthCheck.ts"
import { ownDigest } from "./imageVersion.ts"
import { ImageReference, open, OpenSource } from "./Source.ts"
import { byName, startOrder } from "./startOrder.ts"
import { freeAddress, type Subnet } from "./Subnet.ts"
import {
  variablesOf,
  kindOf,
  NodeName,
  ResultFile,
  ResultKind,
  StepName,
  stepTimeout,
  type Topology,
  type TopologyNode,
  type TopologyStep
} from "./Topology.ts"
import {
  imageOf,
  inOrder,
  type InvalidTopology,
  type MutableImage,
  noAddress,
  refusalOf,
  sharedPort,
  waitingOf
} from "./topologyRefusal.ts"
import { Threshold } from "./Verdict.ts"
import { Command, ImageDigest, IpAddress, WorkloadPort } from "./Workload.ts"

/** An image as it was declared, and what the reference led to when the Plan was made: what every rerun takes. */
export const PlanImage = Schema.Struct({ reference: ImageReference, digest: ImageDigest })

/** The type of {@link PlanImage}. */
export interface PlanImage extends Schema.Schema.Type<typeof PlanImage> {}

/**
 * What becomes of one node. It has an `image`, or a `source` that its image is built from; no `address` where nodes are
 * processes of the host. `env` are names alone: a Plan holds no secret of it. It starts when all that it `waitsFor` is
 * ready, and is ready when `check` passes, or with null once it runs. `credentials` names the nodes whose Credential it is
 * given: its own, and those of what it waits for.
 */
export const PlanNode = Schema.Struct({
  name: NodeName,
  image: Schema.NullOr(PlanImage),
  source: Schema.NullOr(OpenSource),
  address: Schema.NullOr(IpAddress),
  command: Schema.NullOr(Command),
  env: Schema.Array(EnvKey),
  ports: Schema.Array(WorkloadPort),
  waitsFor: Schema.Array(NodeName),
  check: Schema.NullOr(Schema.Struct({ port: WorkloadPort, healthCheck: HealthCheck })),
  credentials: Schema.Array(NodeName)
})

/** The type of {@link PlanNode}. */
export interface PlanNode extends Schema.Schema.Type<typeof PlanNode> {}

/** A step with its timeout in seconds, which every step has, and the file with its results and how to read it. */
export const PlanStep = Schema.Struct({
  name: StepName,
  node: NodeName,
  command: Command,
  timeoutSeconds: Schema.Int,
  result: Schema.NullOr(Schema.Struct({ file: ResultFile, kind: ResultKind }))
})

/** The type of {@link PlanStep}. */
export interface PlanStep extends Schema.Schema.Type<typeof PlanStep> {}

/** A Plan. Each node stands behind those that it waits for; the steps are in the order in which they run. */
export const Plan = Schema.Struct({
  nodes: Schema.Array(PlanNode),
  steps: Schema.Array(PlanStep),
  thresholds: Schema.Array(Threshold)
})

/** The type of {@link Plan}. */
export interface Plan extends Schema.Schema.Type<typeof Plan> {}

/** What the image of a node is, is not among the digests that a Plan was to be made with. */
export class ImageNotFound extends Schema.TaggedError<ImageNotFound>()("ImageNotFound", {
  node: NodeName,
  reference: ImageReference
}) {
  override readonly message = `it is not known what the image ${this.reference} of the node ${this.node} is`
}

/** What a Plan depends on beside its Topology: a Subnet, null where all nodes share the host, and what tags mean now. */
export interface PlanTerms {
  readonly subnet: Subnet | null
  readonly digests: ReadonlyMap<ImageReference, ImageDigest>
}

/** The references that {@link plan} needs a digest for: those that name none themselves, each once and in order. */
export const referencesOf = ({ nodes }: Topology): ReadonlyArray<ImageReference> => {
  const references = nodes.flatMap((node) => imageOf(node) ?? [])
  return [...new Set(references)].filter((reference) => ownDigest(reference) === undefined).sort(byName)
}

/** What the images of a Plan led to. With it, {@link plan} takes the same images again, wherever their tags are now. */
export const digestsOf = ({ nodes }: Plan): ReadonlyMap<ImageReference, ImageDigest> =>
  new Map(nodes.flatMap(({ image }) => (image === null ? [] : [[image.reference, image.digest] as const])))

/**
 * Makes the Plan of a Topology. `InvalidTopology` and `MutableImage` as `refusalOf` says them, also when the Subnet has too
 * few addresses, or when two nodes of one host have the same port; `ImageNotFound` for a tag without a digest.
 */
export const plan = (
  topology: Topology,
  { digests, subnet }: PlanTerms
): Result.Result<Plan, ImageNotFound | InvalidTopology | MutableImage> =>
  Result.gen(function* () {
    const refused = refusalOf(topology) ?? (subnet === null ? sharedPort(topology) : undefined)
    if (refused !== undefined) return yield* Result.fail(refused)

    const nodes = inOrder(topology.nodes)
    const waiting = waitingOf(nodes)
    const addresses = yield* addressesIn(subnet, nodes)
    const planned = new Map<NodeName, PlanNode>()
    for (const node of nodes) {
      const image = yield* planImage(node, digests)
      const address = addresses.get(node.name) ?? null
      planned.set(node.name, planNode(node, { image, address, waitsFor: waiting.get(node.name) ?? [] }))
    }

    const order = Result.getOrElse(startOrder(waiting), () => [])
    return {
      nodes: order.flatMap((name) => planned.get(name) ?? []),
      steps: topology.steps.map(planStep),
      thresholds: topology.thresholds ?? []
    }
  })

/** One address for each node, in the order of their names. */
const addressesIn = (
  subnet: Subnet | null,
  nodes: ReadonlyArray<TopologyNode>
): Result.Result<ReadonlyMap<NodeName, IpAddress>, InvalidTopology> => {
  const addresses = new Map<NodeName, IpAddress>()
  if (subnet === null) return Result.succeed(addresses)
  for (const { name } of nodes) {
    const address = freeAddress(subnet, new Set(addresses.values()), addresses.size)
    if (address === undefined) return Result.fail(noAddress(name))
    addresses.set(name, address)
  }
  return Result.succeed(addresses)
}

const planImage = (
  node: TopologyNode,
  digests: PlanTerms["digests"]
): Result.Result<PlanImage | null, ImageNotFound> => {
  const reference = imageOf(node)
  if (reference === undefined) return Result.succeed(null)
  const digest = ownDigest(reference) ?? digests.get(reference)
  return digest === undefined
    ? Result.fail(new ImageNotFound({ node: node.name, reference }))
    : Result.succeed({ reference, digest })
}

const planNode = (
  node: TopologyNode,
  { waitsFor, ...given }: Pick<PlanNode, "address" | "image" | "waitsFor">
): PlanNode => {
  const { command = null, healthCheck = defaultHealthCheck, name, ports = [], source } = node
  const [port] = ports
  return {
    ...given,
    name,
    source: source === undefined || given.image !== null ? null : open(source),
    command,
    env: variablesOf(node).keys(),
    ports,
    waitsFor,
    check: port === undefined ? null : { port, healthCheck },
    credentials: [...waitsFor, name].sort(byName)
  }
}

const planStep = ({
  command,
  name,
  node,
  resultFile,
  timeoutSeconds = stepTimeout.default
}: TopologyStep): PlanStep => ({
  name,
  node,
  command,
  timeoutSeconds,
  result: resultFile === undefined ? null : { file: resultFile, kind: kindOf(resultFile) }
})
