// Topologies for tests: written by hand, and made up with dependencies that can be kept.
import { Result, Schema } from "effect"
import * as fc from "fast-check"
import { type Plan, plan, type PlanTerms } from "../../src/domain/Plan.ts"
import { parse, type Subnet } from "../../src/domain/Subnet.ts"
import { ImageReference } from "../../src/domain/Source.ts"
import { Topology } from "../../src/domain/Topology.ts"
import { ImageDigest } from "../../src/domain/Workload.ts"

/** A Topology as it comes in a request. */
export type Declared = typeof Topology.Encoded

/** Reads a declaration; a test that declares nonsense dies. */
export const topology = (declared: Declared): Topology => Schema.decodeUnknownSync(Topology)(declared)

/** A block of addresses. */
export const block = (text: string): Subnet => {
  const subnet = parse(text)
  if (subnet === undefined) throw new Error(`${text} is no block`)
  return subnet
}

/** A digest of one hexadecimal digit, again and again. */
export const digest = (digit: string): ImageDigest => ImageDigest.make(`sha256:${digit.repeat(64)}`)

/** What some references lead to. */
export const digests = (table: Readonly<Record<string, string>>): ReadonlyMap<ImageReference, ImageDigest> =>
  new Map(Object.entries(table).map(([reference, digit]) => [ImageReference.make(reference), digest(digit)] as const))

/** What the images of {@link topologies} lead to. */
export const someDigests = digests({ "a:1": "a", "b:2": "b", "registry.example:5000/c:3": "c" })

const subsetOf = (names: ReadonlyArray<string>): fc.Arbitrary<Array<string>> => fc.subarray([...names])

/** Topologies without a cycle: whatever a node waits for was made up before it; the order of declaration is any. */
export const topologies: fc.Arbitrary<Topology> = fc
  .uniqueArray(fc.stringMatching(/^[a-e][a-e0-3-]{0,2}$/), { minLength: 1, maxLength: 12 })
  .chain((names) => fc.tuple(fc.constant(names), fc.tuple(...names.map((_, index) => subsetOf(names.slice(0, index))))))
  .chain(([names, dependencies]) =>
    fc.tuple(
      fc.tuple(
        ...names.map((name, index) =>
          fc.record({
            name: fc.constant(name),
            image: fc.constantFrom("a:1", "b:2", "registry.example:5000/c:3", `d@${digest("d")}`),
            env: fc.dictionary(fc.constantFrom("A", "B", "C"), fc.constantFrom("", "x", "y"), { maxKeys: 3 }),
            ports: fc.subarray([80, 443, 5432]),
            dependsOn: fc.constant(dependencies[index] ?? [])
          })
        )
      ),
      fc.array(fc.constantFrom(...names), { maxLength: 4 })
    )
  )
  .map(([nodes, steps]) =>
    topology({ nodes, steps: steps.map((node, index) => ({ name: `s${index}`, node, command: ["true"] })) })
  )

/** The same declaration, its nodes, their dependencies and variables in another order. */
export const shuffled = ({ nodes, ...rest }: Topology): fc.Arbitrary<Topology> => {
  const node = (one: Topology["nodes"][number]): fc.Arbitrary<Topology["nodes"][number]> =>
    fc
      .tuple(shuffle(one.dependsOn ?? []), shuffle(Object.entries(one.env ?? {})))
      .map(([dependsOn, env]) => ({ ...one, dependsOn, env: Object.fromEntries(env) }))
  return shuffle(nodes)
    .chain((all) => fc.tuple(...all.map(node)))
    .map((all) => ({ ...rest, nodes: all }))
}

const shuffle = <A>(items: ReadonlyArray<A>): fc.Arbitrary<Array<A>> =>
  fc.shuffledSubarray([...items], { minLength: items.length })

/** Where Topologies of tests are planned, unless they say otherwise. */
export const subnet = block("10.7.0.0/24")

const usual: PlanTerms = { subnet, digests: someDigests }

/** The Plan of a Topology that has one. */
export const planned = (declared: Topology, terms = usual): Plan => Result.getOrThrow(plan(declared, terms))

/** Why there is no Plan of a Topology. */
export const refusal = (declared: Declared, terms = usual) =>
  Result.getOrThrow(Result.flip(plan(topology(declared), terms)))

/** The reason, and where it is. */
export const reasonOf = (declared: Declared, terms = usual): readonly [string, string] => {
  const failure = refusal(declared, terms)
  return [failure._tag === "InvalidTopology" ? failure.reason : failure._tag, failure.node]
}

/** A node that runs `a:1`, unless it says otherwise. */
export const aNode = (name: string, more: Partial<Declared["nodes"][number]> = {}): Declared["nodes"][number] => ({
  name,
  image: "a:1",
  ...more
})
