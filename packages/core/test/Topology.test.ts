// Topologies that are no environment are refused before anything exists, with the name of the node where it is wrong; and
// what they hold is bounded.
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as fc from "fast-check"
import { plan } from "../src/domain/Plan.ts"
import { Topology } from "../src/domain/Topology.ts"
import {
  aNode as a,
  block,
  type Declared,
  digest,
  planned,
  reasonOf,
  refusal,
  someDigests,
  subnet,
  topologies,
  topology
} from "./support/topologies.ts"

const isTopology = (value: unknown): boolean => Result.isSuccess(Schema.decodeUnknownResult(Topology)(value))

describe("a topology", () => {
  const shapes: ReadonlyArray<readonly [string, string, Declared]> = [
    ["duplicate_node", "x", { nodes: [a("x"), a("y"), a("x", { image: "b:2" })], steps: [] }],
    ["image_or_source", "x", { nodes: [{ name: "x" }], steps: [] }],
    ["image_or_source", "x", { nodes: [a("x", { source: { type: "image", reference: "a:1" } })], steps: [] }],
    ["duplicate_port", "x", { nodes: [a("x", { ports: [80, 443, 80] })], steps: [] }],
    ["no_port", "x", { nodes: [a("x", { healthCheck: { intervalMillis: 500, timeoutSeconds: 60 } })], steps: [] }],
    ["unknown_dependency", "x", { nodes: [a("y"), a("x", { dependsOn: ["y", "z"] })], steps: [] }],
    ["unknown_node", "z", { nodes: [a("x")], steps: [{ name: "s", node: "z", command: ["true"] }] }],
    [
      "duplicate_step",
      "y",
      {
        nodes: [a("x"), a("y")],
        steps: [
          { name: "s", node: "x", command: ["true"] },
          { name: "s", node: "y", command: ["true"] }
        ]
      }
    ]
  ]

  it.each(shapes)("H27 that is no environment is refused as %s at %s", (reason, node, declared) => {
    assert.deepStrictEqual(reasonOf(declared), [reason, node])
    assert.deepStrictEqual(reasonOf({ ...declared, nodes: [...declared.nodes].reverse() }), [reason, node])
  })

  it("H27 with two mistakes is refused for the first in the order of names, however it is declared", () => {
    const nodes = [{ name: "y" }, a("x", { dependsOn: ["z"] }), a("w", { dependsOn: ["z"] }), { name: "z" }]
    for (const declared of [nodes, [...nodes].reverse()]) {
      assert.deepStrictEqual(reasonOf({ nodes: declared, steps: [] }), ["image_or_source", "y"])
      const others = declared.filter(({ name }) => name === "x" || name === "w")
      assert.deepStrictEqual(reasonOf({ nodes: others, steps: [] }), ["unknown_dependency", "w"])
    }
  })

  it("H27 with a cycle is refused with its nodes, however it is declared and whoever waits for it", () => {
    const nodes = [
      a("d", { dependsOn: ["b"] }),
      a("c", { dependsOn: ["a"] }),
      a("b", { dependsOn: ["c"] }),
      a("a", { dependsOn: ["b", "e"] }),
      a("e")
    ]
    for (const declared of [nodes, [...nodes].reverse()]) {
      const failure = refusal({ nodes: declared, steps: [] })
      if (failure._tag !== "InvalidTopology") return assert.fail(failure._tag)
      assert.deepStrictEqual([failure.reason, failure.node, failure.nodes], ["cycle", "a", ["a", "b", "c"]])
      assert.strictEqual(failure.message, "a waits for b waits for c waits for a")
    }
    assert.deepStrictEqual(reasonOf({ nodes: [a("x", { dependsOn: ["x"] })], steps: [] }), ["cycle", "x"])
    const waits = [a("a", { dependsOn: ["c"] }), a("b", { dependsOn: ["c"] }), a("c", { dependsOn: ["b"] })]
    const behind = refusal({ nodes: waits, steps: [] })
    assert.deepStrictEqual("nodes" in behind && behind.nodes.join(), "b,c")
  })

  it("H27 with any cycle is refused, and with no other thing", () => {
    fc.assert(
      fc.property(topologies, fc.nat(), fc.nat(), (declared, from, to) => {
        const made = planned(declared)
        const [one, other] = [from, to].map((index) => made.nodes[index % made.nodes.length]?.name)
        if (one === undefined || other === undefined) return assert.fail("it has nodes")
        const nodes = declared.nodes.map((node) =>
          node.name === one ? { ...node, dependsOn: [...(node.dependsOn ?? []), other] } : node
        )
        const result = plan({ ...declared, nodes }, { subnet, digests: someDigests })
        const reaches = (name: string): boolean =>
          name === one || (made.nodes.find((node) => node.name === name)?.waitsFor ?? []).some(reaches)
        assert.strictEqual(Result.isFailure(result), reaches(other))
        if (Result.isSuccess(result) || result.failure._tag !== "InvalidTopology") return
        const { nodes: cycle } = result.failure
        for (const [index, name] of cycle.entries()) {
          const next = cycle[(index + 1) % cycle.length] ?? name
          assert.include(nodes.find((node) => node.name === name)?.dependsOn ?? [], next)
        }
      }),
      { seed: 32 }
    )
  })

  it("H27 of more nodes than the subnet has addresses is refused", () => {
    const nodes = Array.from({ length: 6 }, (_, index) => a(`n${index}`))
    const terms = (text: string) => ({ subnet: block(text), digests: someDigests })
    assert.deepStrictEqual(reasonOf({ nodes, steps: [] }, terms("10.0.0.0/29")), ["no_address", "n5"])
    assert.deepStrictEqual(reasonOf({ nodes, steps: [] }, terms("10.0.0.0/32")), ["no_address", "n0"])
    assert.strictEqual(planned(topology({ nodes: nodes.slice(1), steps: [] }), terms("10.0.0.0/29")).nodes.length, 5)
  })

  it("H36 has images of a version: neither without a tag nor with latest, unless a digest says which", () => {
    for (const reference of ["nginx", "nginx:latest", "r.example:5000/nginx", "r.example:5000/a/nginx:latest"]) {
      const failure = refusal({ nodes: [a("x"), { name: "y", image: reference }], steps: [] })
      assert.strictEqual(failure._tag, "MutableImage", reference)
      assert.deepStrictEqual([failure.node, failure.message.includes(reference)], ["y", true])
    }
    const source = { type: "image", reference: "nginx" } as const
    assert.strictEqual(refusal({ nodes: [{ name: "x", source }], steps: [] })._tag, "MutableImage")
    for (const reference of [
      `nginx@${digest("1")}`,
      `nginx:latest@${digest("1")}`,
      `r.example:5000/n@${digest("1")}`
    ]) {
      const [node] = planned(topology({ nodes: [{ name: "x", image: reference }], steps: [] })).nodes
      assert.strictEqual(node?.image?.digest, digest("1"))
    }
  })

  it("H8 has a finite timeout for every step", () => {
    const { steps } = planned(topology({ nodes: [a("x")], steps: [{ name: "s", node: "x", command: ["true"] }] }))
    assert.deepStrictEqual(
      steps.map(({ timeoutSeconds }) => timeoutSeconds),
      [600]
    )
    for (const timeoutSeconds of [0, 1.5, 86_401, Infinity]) {
      const step = { name: "s", node: "x", command: ["true"], timeoutSeconds }
      assert.isFalse(isTopology({ nodes: [a("x")], steps: [step] }), `${timeoutSeconds}`)
    }
  })

  it("is bounded in everything", () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => a(`n${index}`))
    const step = { name: "s", node: "x", command: ["true"] }
    const wrong: ReadonlyArray<unknown> = [
      { nodes: [], steps: [] },
      { nodes: many(65), steps: [] },
      { nodes: [a("x")], steps: many(65).map(({ name }) => ({ ...step, name })) },
      { nodes: [a("X")], steps: [] },
      { nodes: [a("-x")], steps: [] },
      { nodes: [a("x".repeat(64))], steps: [] },
      { nodes: [a("x", { ports: [0] })], steps: [] },
      { nodes: [a("x", { ports: Array.from({ length: 17 }, (_, index) => 80 + index) })], steps: [] },
      { nodes: [a("x", { env: { lower: "x" } })], steps: [] },
      { nodes: [a("x", { env: { PORT: "1" } })], steps: [] },
      { nodes: [a("x", { env: { A: "x".repeat(65_536) } })], steps: [] },
      { nodes: [a("x")], steps: [{ ...step, command: [] }] },
      { nodes: [a("x")], steps: [], thresholds: many(257).map(({ name }) => ({ metric: name, max: 1 })) },
      { nodes: [a("x")], steps: [], thresholds: [{ metric: "m" }] },
      { nodes: [a("x")], steps: [], thresholds: [{ metric: "m", min: 2, max: 1 }] },
      { nodes: [a("x")], steps: [], thresholds: [{ metric: "m", max: NaN }] }
    ]
    for (const value of wrong) assert.isFalse(isTopology(value), JSON.stringify(value).slice(0, 200))
    assert.isTrue(isTopology({ nodes: many(64), steps: [step] }))
  })

  it("has result files that lead nowhere but into their directory", () => {
    const withFile = (resultFile: string) => ({
      nodes: [a("x")],
      steps: [{ name: "s", node: "x", command: ["true"], resultFile }]
    })
    for (const file of ["a.json", "out/a-1.xml", "x/y/z.w.json"]) assert.isTrue(isTopology(withFile(file)), file)
    const wrong = [
      "/a.json",
      "../a.json",
      "a/../b.json",
      "./a.json",
      "a//b.json",
      ".json",
      "a/.json",
      "a.json/",
      "a.txt"
    ]
    for (const file of [...wrong, "a\\b.json", "a\0.json", "a b.json", "a.json\n", `${"x".repeat(251)}.json`]) {
      assert.isFalse(isTopology(withFile(file)), file)
    }
  })

  it("does not show the values of its variables, and its plan has none", () => {
    const declared = topology({ nodes: [a("x", { env: { TOKEN: "s3cr3t-value" } })], steps: [] })
    for (const shown of [declared, planned(declared)]) assert.notInclude(JSON.stringify(shown), "s3cr3t")
  })
})
