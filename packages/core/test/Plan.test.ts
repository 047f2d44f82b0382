// A Plan is a function of its Topology: what fits together is planned the same way always, and what does not is refused
// before anything exists, with the name of the node where it does not.
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as fc from "fast-check"
import { pinned } from "../src/domain/imageVersion.ts"
import { digestsOf, plan, Plan, referencesOf } from "../src/domain/Plan.ts"
import { ImageReference } from "../src/domain/Source.ts"
import { format, overlaps, parse } from "../src/domain/Subnet.ts"
import {
  aNode as a,
  block,
  type Declared,
  digest,
  digests,
  planned,
  reasonOf,
  shuffled,
  someDigests,
  subnet,
  topologies,
  topology
} from "./support/topologies.ts"

describe("the plan of a run", () => {
  const deployKey = "-----BEGIN OPENSSH PRIVATE KEY-----\naaaa\n-----END OPENSSH PRIVATE KEY-----\n"

  it("H27 H36 is this, for a database, an application and a load", () => {
    const declared = topology({
      nodes: [
        { name: "load", image: "tools/k6:0.50", dependsOn: ["app"], command: ["sleep", "infinity"] },
        {
          name: "app",
          source: { type: "git", url: "https://code.example/app.git", deployKey },
          dependsOn: ["db", "db"],
          env: { LEVEL: "info", EMPTY: "", DATABASE: "db" },
          ports: [8080, 9090],
          healthCheck: { path: "/healthz", intervalMillis: 100, timeoutSeconds: 30 }
        },
        { name: "db", image: `postgres:16@${digest("9")}`, ports: [5432] }
      ],
      steps: [
        { name: "warm", node: "load", command: ["warm"] },
        { name: "measure", node: "load", command: ["k6"], timeoutSeconds: 60, resultFile: "out/summary.json" },
        { name: "check", node: "app", command: ["npm", "test"], resultFile: "junit.xml" }
      ],
      thresholds: [{ metric: "p95Millis", max: 250 }]
    })
    const made = planned(declared, { subnet: block("10.7.0.16/28"), digests: digests({ "tools/k6:0.50": "6" }) })
    assert.deepStrictEqual(Schema.encodeUnknownSync(Schema.toCodecJson(Plan))(made), {
      nodes: [
        {
          image: { reference: `postgres:16@${digest("9")}`, digest: digest("9") },
          address: "10.7.0.19",
          name: "db",
          source: null,
          command: null,
          env: [],
          ports: [5432],
          waitsFor: [],
          check: { port: 5432, healthCheck: { intervalMillis: 500, timeoutSeconds: 60 } },
          credentials: ["db"]
        },
        {
          image: null,
          address: "10.7.0.18",
          name: "app",
          source: { type: "git", url: "https://code.example/app.git" },
          command: null,
          env: ["DATABASE", "LEVEL"],
          ports: [8080, 9090],
          waitsFor: ["db"],
          check: { port: 8080, healthCheck: { path: "/healthz", intervalMillis: 100, timeoutSeconds: 30 } },
          credentials: ["app", "db"]
        },
        {
          image: { reference: "tools/k6:0.50", digest: digest("6") },
          address: "10.7.0.20",
          name: "load",
          source: null,
          command: ["sleep", "infinity"],
          env: [],
          ports: [],
          waitsFor: ["app"],
          check: null,
          credentials: ["app", "load"]
        }
      ],
      steps: [
        { name: "warm", node: "load", command: ["warm"], timeoutSeconds: 600, result: null },
        {
          name: "measure",
          node: "load",
          command: ["k6"],
          timeoutSeconds: 60,
          result: { file: "out/summary.json", kind: "json" }
        },
        {
          name: "check",
          node: "app",
          command: ["npm", "test"],
          timeoutSeconds: 600,
          result: { file: "junit.xml", kind: "junit" }
        }
      ],
      thresholds: [{ metric: "p95Millis", max: 250 }]
    })
  })

  it("H27 B27 is the same for the same input, in whatever order nodes, dependencies and variables were declared", () => {
    fc.assert(
      fc.property(
        topologies.chain((one) => fc.tuple(fc.constant(one), shuffled(one))),
        ([one, other]) => assert.deepStrictEqual(planned(other), planned(one))
      ),
      { seed: 27 }
    )
  })

  it("H27 gives each node an address of its own: of the subnet, and neither the gateway's nor one of the two ends", () => {
    fc.assert(
      fc.property(
        topologies,
        fc.constantFrom("10.7.0.0/28", "192.168.255.0/24", "172.16.4.32/27"),
        (declared, text) => {
          const addresses = planned(declared, { subnet: block(text), digests: someDigests }).nodes.map(
            ({ address }) => parse(address ?? "") ?? assert.fail("it has an address")
          )
          assert.strictEqual(new Set(addresses.map(format)).size, declared.nodes.length)
          const { first, prefix } = block(text)
          const special = [first, first + 1, first + 2 ** (32 - prefix) - 1]
          for (const address of addresses) {
            assert.isTrue(overlaps(block(text), address))
            assert.notInclude(special, address.first)
          }
        }
      ),
      { seed: 28 }
    )
  })

  it("H27 B32 has each node behind what it waits for, which is what was declared and nothing else", () => {
    fc.assert(
      fc.property(topologies, (declared) => {
        const seen = new Set<string>()
        const made = planned(declared)
        for (const { name, waitsFor } of made.nodes) {
          const node = declared.nodes.find((each) => each.name === name)
          assert.deepStrictEqual(waitsFor, [...(node?.dependsOn ?? [])].sort())
          for (const other of waitsFor) assert.isTrue(seen.has(other), `${other} before ${name}`)
          seen.add(name)
        }
        assert.strictEqual(seen.size, declared.nodes.length)
      }),
      { seed: 29 }
    )
  })

  it("B27 gives each node its own image, variables and ports, and each step its own node", () => {
    fc.assert(
      fc.property(topologies, (declared) => {
        const made = planned(declared)
        for (const { env = {}, image, name, ports } of declared.nodes) {
          const node = made.nodes.find((each) => each.name === name) ?? assert.fail(`${name} is planned`)
          assert.strictEqual(node.image?.reference, image)
          assert.deepStrictEqual(node.ports, ports)
          assert.isTrue(node.env.every((key) => key in env))
        }
        assert.deepStrictEqual(
          made.steps.map(({ node }) => node),
          declared.steps.map(({ node }) => node)
        )
      }),
      { seed: 30 }
    )
  })

  it("makes a credential for each node, given to it and to those that wait for it", () => {
    fc.assert(
      fc.property(topologies, (declared) => {
        for (const { credentials, name, waitsFor } of planned(declared).nodes) {
          assert.deepStrictEqual(credentials, [...waitsFor, name].sort())
        }
      }),
      { seed: 31 }
    )
  })

  it("has no addresses where the nodes are processes of the host, who may not share a port then", () => {
    const two = (port: number): Declared => ({ nodes: [a("x", { ports: [80] }), a("y", { ports: [port] })], steps: [] })
    const terms = { subnet: null, digests: someDigests }
    const made = Result.getOrThrow(plan(topology(two(81)), terms))
    assert.deepStrictEqual(
      made.nodes.map(({ address }) => address),
      [null, null]
    )
    assert.deepStrictEqual(reasonOf(two(80), terms), ["duplicate_port", "y"])
    assert.strictEqual(planned(topology(two(80))).nodes.length, 2)
  })

  it("H36 is planned with what its tags lead to, which a rerun takes again when the tags have moved", () => {
    const declared = topology({
      nodes: [
        a("x"),
        { name: "y", source: { type: "image", reference: "b:2" } },
        a("z", { image: `d@${digest("d")}` })
      ],
      steps: []
    })
    assert.deepStrictEqual(referencesOf(declared), [...digests({ "a:1": "1", "b:2": "2" }).keys()])
    const [before, after] = [digests({ "a:1": "1", "b:2": "2" }), digests({ "a:1": "7", "b:2": "8" })]
    const made = planned(declared, { subnet, digests: before })
    assert.notDeepEqual(planned(declared, { subnet, digests: after }), made)
    assert.deepStrictEqual(planned(declared, { subnet, digests: digestsOf(made) }), made)
    assert.deepStrictEqual(reasonOf({ nodes: [a("x")], steps: [] }, { subnet, digests: new Map() }), [
      "ImageNotFound",
      "x"
    ])
  })

  it("H36 can pin a reference, with or without a tag, to what it led to", () => {
    const references = ["registry.example:5000/c:3", "nginx", `b:2@${digest("0")}`]
    assert.deepStrictEqual(
      references.map((reference) => pinned(ImageReference.make(reference), digest("c"))),
      [`registry.example:5000/c:3@${digest("c")}`, `nginx@${digest("c")}`, `b:2@${digest("c")}`]
    )
  })
})
