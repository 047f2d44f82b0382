// The decisions that need no engine: what a container is made from, what the engine's answers mean, what is read from them.

import { assert, describe, it } from "@effect/vitest"
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { ImageReference } from "@lockkeeper/core/domain/Source"
import { format } from "@lockkeeper/core/domain/Subnet"
import { ImageDigest, WorkloadName } from "@lockkeeper/core/domain/Workload"
import { DateTime, Effect, Schema, Stream } from "effect"
import { PassThrough } from "node:stream"
import { InstallationId } from "../src/InstallationId.ts"
import { buildContext } from "../src/internal/buildContext.ts"
import { open } from "../src/internal/call.ts"
import { helperOptions, workloadOptions } from "../src/internal/containerSpec.ts"
import { labelled } from "../src/internal/dockerfile.ts"
import { engineError } from "../src/internal/EngineError.ts"
import { parseRoutes } from "../src/internal/hostRoutes.ts"
import { isLeftOver, ownerLabels } from "../src/internal/labels.ts"
import { after, lines, sinceOf } from "../src/internal/output.ts"
import { ObjectName } from "../src/internal/references.ts"
import { specOf, treeOf } from "./support/engine.ts"

const owner = { installation: InstallationId.make("one"), replica: ReplicaId.make("r1"), process: "p1" }
const limits = { memoryBytes: 2 ** 29, cpus: 1.5, pids: 100 }
const image = ImageDigest.make(`sha256:${"1".repeat(64)}`)

describe("a container", () => {
  it("H19 B19 is made from this and nothing else", () => {
    const spec = specOf(image, { name: WorkloadName.make("dep_1-2"), fence: Fence.make(2), env: { A: "1" } })
    assert.deepStrictEqual(workloadOptions(spec, owner, limits, { network: "net", address: "10.0.0.9" }, 8080), {
      name: "dep_1-2",
      Image: image,
      Env: ["A=1", "PORT=8080"],
      Labels: {
        "lockkeeper.installation": "one",
        "lockkeeper.kind": "workload",
        "lockkeeper.replica": "r1",
        "lockkeeper.process": "p1",
        "lockkeeper.workload": "dep_1-2",
        "lockkeeper.tenant": "acme",
        "lockkeeper.app": "app_test",
        "lockkeeper.deployment": "dep_test",
        "lockkeeper.fence": "2",
        "lockkeeper.address": "10.0.0.9"
      },
      NetworkingConfig: { EndpointsConfig: { net: { IPAMConfig: { IPv4Address: "10.0.0.9" } } } },
      HostConfig: {
        NetworkMode: "net",
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        Privileged: false,
        Init: true,
        Memory: 2 ** 29,
        MemorySwap: 2 ** 29,
        NanoCpus: 1.5e9,
        PidsLimit: 100,
        RestartPolicy: { Name: "no" },
        LogConfig: { Type: "json-file", Config: { "max-size": "16m", "max-file": "2" } }
      }
    })
  })

  it("U2 that helps can write to its volume and its memory alone, as nobody", () => {
    const { HostConfig, User } = helperOptions(
      {
        name: "h",
        image: "git",
        command: ["sleep", "9"],
        environment: {},
        network: "bridge",
        volume: { name: "v", target: "/tmp" },
        memory: "/run/m",
        lifetimeSeconds: 9
      },
      {}
    )
    assert.deepStrictEqual([User, HostConfig.ReadonlyRootfs, HostConfig.CapDrop], ["65534:65534", true, ["ALL"]])
    assert.deepStrictEqual(HostConfig.Mounts, [{ Type: "volume", Source: "v", Target: "/tmp" }])
    assert.deepStrictEqual(Object.keys(HostConfig.Tmpfs), ["/run/m"])
  })

  it("INV-7 INV-10 that is left over is one of an earlier process of the replica, or one whose time is over", () => {
    const of = (replica: string, process: string, until: number) => ({
      ...ownerLabels({ ...owner, replica: ReplicaId.make(replica), process }, "helper"),
      "lockkeeper.until": String(until)
    })
    assert.isTrue(isLeftOver(of("r1", "p0", 200), owner, 100))
    assert.isFalse(isLeftOver(of("r1", "p1", 200), owner, 100))
    assert.isFalse(isLeftOver(of("r2", "p9", 200), owner, 100))
    assert.isTrue(isLeftOver(of("r2", "p9", 99), owner, 100))
  })
})

describe("a Dockerfile", () => {
  const label = ["lockkeeper.image.installation", "one"] as const
  const marked = `LABEL lockkeeper.image.installation="one"`

  it("T6 is marked behind every FROM, however it is written", () => {
    const text =
      "# syntax\nARG V=1\nFROM a:$V AS one\nRUN x \\\n  FROM y\nfrom --platform=linux/amd64 \\\n  b:2\nCOPY . .\n"
    assert.strictEqual(
      labelled(text, label),
      `# syntax\nARG V=1\nFROM a:$V AS one\n${marked}\nRUN x \\\n  FROM y\nfrom --platform=linux/amd64 \\\n  b:2\n${marked}\nCOPY . .\n`
    )
    assert.strictEqual(labelled("FROM a", label), `FROM a\n${marked}`)
  })

  it("without a FROM is none", () => {
    for (const text of ["", "# FROM a\n", "RUN echo FROM a\n"]) assert.strictEqual(labelled(text, label), undefined)
  })
})

describe("what a container says", () => {
  const frame = (stream: 1 | 2, text: string): Buffer => {
    const payload = Buffer.from(text)
    const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0])
    header.writeUInt32BE(payload.length, 4)
    return Buffer.concat([header, payload])
  }
  const at = (millis: number): string => `2026-01-02T03:04:05.${String(millis).padStart(3, "0")}456789Z`
  const bytes = Buffer.concat([
    frame(1, `${at(1)} grüß\n`),
    frame(2, `${at(2)} no\n`),
    frame(1, `${at(2)} par`),
    frame(1, `${at(3)} tial\n`),
    frame(1, `${at(3)} \n`),
    frame(1, `${at(4)} last`)
  ])
  const expected = ["stdout grüß 1", "stderr no 2", "stdout partial 3", "stdout  3", "stdout last 4"]
  const read = (stream: Stream.Stream<LogEntry, unknown>) =>
    Effect.map(Stream.runCollect(stream), (entries) =>
      entries.map(({ at, line, stream }) => `${stream} ${line} ${(at?.epochMilliseconds ?? 0) % 1_000}`)
    )

  it.effect.prop("B23 X1 is the same however its bytes are cut", { cuts: Schema.Array(Schema.Int) }, ({ cuts }) =>
    Effect.gen(function* () {
      const places = [...cuts.map((cut) => Math.abs(cut) % bytes.length), bytes.length].sort((a, b) => a - b)
      const chunks = places.map((place, index) => bytes.subarray(places[index - 1] ?? 0, place))
      assert.deepStrictEqual(yield* read(lines(Stream.fromIterable(chunks))), expected)
    })
  )

  it.effect("goes on behind a cursor, exactly", () =>
    Effect.gen(function* () {
      const from = (millis: number, count: number) =>
        read(after({ at: DateTime.makeUnsafe(at(millis)), lines: count })(lines(Stream.make(bytes))))
      assert.deepStrictEqual(yield* from(1, 1), expected.slice(1))
      assert.deepStrictEqual(yield* from(3, 1), expected.slice(3))
      assert.deepStrictEqual(yield* from(3, 2), expected.slice(4))
      assert.deepStrictEqual(yield* from(4, 1), [])
      assert.strictEqual(sinceOf({ at: DateTime.makeUnsafe(1_700_000_000_007), lines: 1 }), "1700000000.007000000")
    })
  )

  it.effect("that is not in frames is an error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Stream.runDrain(lines(Stream.make(Buffer.from("<html>not a log</html>")))))
      assert.strictEqual(error.reason, "unexpected")
    })
  )
})

describe("when nobody reads any more", () => {
  it.live("U3 a request is aborted and its answer is let go of", () =>
    Effect.gen(function* () {
      const answer = new PassThrough()
      let signal: AbortSignal | undefined
      const asked = (abort: AbortSignal) => {
        signal = abort
        return Promise.resolve(answer)
      }
      yield* Effect.scoped(open("test", asked))
      assert.isTrue(signal?.aborted)
      assert.isTrue(answer.destroyed)
    })
  )

  it.live("U3 the context of a build is let go of", () =>
    Effect.gen(function* () {
      const { directory } = yield* treeOf({ Dockerfile: "FROM scratch\n" })
      const context = yield* Effect.scoped(buildContext(directory, ["label", "x"]))
      assert.isTrue(context.destroyed)
    })
  )
})

describe("the engine's answers", () => {
  const answer = (statusCode: number, message: string) => ({
    statusCode,
    json: { message },
    message: `(HTTP code) ${message}`
  })

  it.each([
    [answer(304, ""), "already"],
    [answer(404, "No such container: x"), "not_found"],
    [answer(404, "No such image: x"), "image_not_found"],
    [answer(404, "manifest for x not found: manifest unknown"), "image_not_found"],
    [answer(409, 'The container name "/x" is already in use by container "y"'), "conflict"],
    [answer(409, "removal of container x is already in progress"), "removal_in_progress"],
    [answer(409, "volume is in use - [y]"), "in_use"],
    [answer(403, "network x has active endpoints"), "in_use"],
    [answer(403, "Pool overlaps with other one on this address space"), "overlap"],
    [answer(403, "Address already in use"), "address_in_use"],
    [answer(500, "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated"), "port_in_use"],
    [answer(400, 'OCI runtime create failed: exec: "x": executable file not found in $PATH: unknown'), "bad_command"],
    [answer(500, "write /var/lib/docker/x: no space left on device"), "disk_full"],
    [answer(500, 'Get "https://registry/v2/": dial tcp: lookup registry: no such host'), "registry"],
    [answer(404, "pull access denied for x, repository does not exist or may require 'docker login'"), "denied"],
    [answer(400, "Minimum memory limit allowed is 6MB"), "invalid"],
    [answer(500, "something new"), "unexpected"],
    [{ code: "ECONNREFUSED", message: "connect" }, "unreachable"],
    [{ code: "ENOENT", message: "connect" }, "unreachable"],
    [new Error("socket hang up"), "unreachable"],
    ["nonsense", "unexpected"]
  ])("%j is %s", (cause, reason) => {
    assert.strictEqual(engineError("test", cause).reason, reason)
  })
})

describe("references", () => {
  it("T8 cannot lead to another object", () => {
    for (const bad of ["../images/x", "x?force=1", "", "x/y", "-x", "x y", "x".repeat(200)]) {
      assert.isFalse(Schema.is(ObjectName)(bad), bad)
    }
    for (const bad of ["../x", "a//b", "a/../b:1", "A:1", "a:1?x", "a@sha256:1", "a:b:c", "a/", "-a"]) {
      assert.isFalse(Schema.is(ImageReference)(bad), bad)
    }
    for (const good of ["a", "a:1", "a/b.c:V1", "host:5000/a/b:1", `a@sha256:${"0".repeat(64)}`, "a__b:1", "a--b"]) {
      assert.isTrue(Schema.is(ImageReference)(good), good)
    }
  })

  it("T11 the blocks that a host routes are read from its table", () => {
    const table = [
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
      "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0",
      "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
      "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0",
      ""
    ].join("\n")
    assert.deepStrictEqual(parseRoutes(table).map(format), ["10.0.0.0/24", "172.17.0.0/16"])
  })
})
