// Workloads on the real engine: what they may do, where they are reached, how their end is told, and whose they are.

import { assert, describe, it } from "@effect/vitest"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Duration, Effect, Fiber, Stream } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { images } from "../../../test/harness/images.ts"
import * as DockerContainerRuntime from "../src/DockerContainerRuntime.ts"
import {
  freshInstallation,
  linesOf,
  nothing,
  runtime,
  serving,
  shell,
  sleeping,
  specOf,
  subnetPools
} from "./support/engine.ts"
import { docker } from "../../../test/harness/engine.ts"

describeWith("docker")("a Workload on Docker", () => {
  describe("is held to little", () => {
    it.live(
      "H19: no capability, no new privilege, bounded memory, pids and CPU, an init, and no mount of the host",
      () =>
        Effect.gen(function* () {
          const made = yield* runtime({ memoryBytes: 64 * 1024 ** 2, cpus: 0.5, pids: 50 })
          const image = yield* made.buildOf(
            shell(
              "grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status; cat /proc/1/comm; ls /var/run/docker.sock; exit 0"
            )
          )
          const workload = yield* made.start(specOf(image, { env: { SECRET: "canary" } }))
          const said = yield* linesOf(made, workload)
          assert.includeMembers(
            [...said],
            [
              "stdout: CapPrm:\t0000000000000000",
              "stdout: CapEff:\t0000000000000000",
              "stdout: CapBnd:\t0000000000000000",
              "stdout: NoNewPrivs:\t1",
              "stdout: docker-init"
            ]
          )
          assert.match(said.find((line) => line.startsWith("stderr: ")) ?? "", /^stderr: ls: .*No such file/)
          const { Config, HostConfig, Mounts } = yield* Effect.promise(() => docker.getContainer(workload.id).inspect())
          const { CapAdd, Memory, MemorySwap, NanoCpus, PidsLimit, Privileged, RestartPolicy } = HostConfig
          assert.deepStrictEqual(
            [CapAdd, Memory, MemorySwap, NanoCpus, PidsLimit, Privileged, RestartPolicy?.Name, Mounts],
            [null, 64 * 1024 ** 2, 64 * 1024 ** 2, 5e8, 50, false, "no", []]
          )
          assert.notInclude(JSON.stringify(Config.Labels), "canary")
        })
    )
  })

  describe("has its Tenant's network", () => {
    it.live("INV-15: with a block of its own, which others are not reached from", () =>
      Effect.gen(function* () {
        const made = yield* runtime()
        const image = yield* made.buildOf(shell(serving))
        const [acme, other] = [TenantName.make("acme"), TenantName.make("other")]
        const one = yield* made.start(specOf(image, { tenant: acme }))
        const neighbour = yield* made.start(specOf(image, { tenant: acme }))
        const foreign = yield* made.start(specOf(image, { tenant: other }))
        const blockOf = (host: string) => host.split(".").slice(0, 3).join(".")
        assert.strictEqual(blockOf(one.address.host), blockOf(neighbour.address.host))
        assert.notStrictEqual(blockOf(one.address.host), blockOf(foreign.address.host))

        const ask = (tenant: TenantName) => {
          const script = `nc -w 2 ${one.address.host} ${one.address.port} </dev/null && echo reached || echo refused`
          return made.run({ ...specOf(image, { tenant }), command: ["sh", "-c", script] }, made.say, () => Effect.void)
        }
        yield* eventually("it listens", ask(acme), () => made.said.some((line) => line.includes("reached")))
        // The engine opens its firewall for some milliseconds when anybody makes a network, so one try is not enough.
        const refused = Effect.andThen(
          Effect.sync(() => made.said.splice(0)),
          ask(other)
        )
        yield* eventually("others are refused", refused, () => made.said.includes("stdout: refused"))
        assert.isFalse(made.said.some((line) => line.includes("reached")))

        for (const { id, name } of [one, neighbour, foreign]) yield* made.stop(name, id)
        assert.deepStrictEqual(yield* made.left, nothing)
      })
    )

    it.live("INV-15 B18: one for all, also when two replicas start its first Workloads at once", () =>
      Effect.gen(function* () {
        const installation = freshInstallation()
        const replicas = [
          yield* runtime({ installation }),
          yield* runtime({ installation, replica: ReplicaId.make("two") })
        ]
        const image = yield* (replicas[0] ?? (yield* runtime())).buildOf(sleeping)
        const names = new Set<string>()
        for (let round = 1; round <= 3; round++) {
          const starts = [...replicas, ...replicas].map((made) => made.start(specOf(image)))
          const workloads = yield* Effect.all(starts, { concurrency: "unbounded" })
          assert.strictEqual(new Set(workloads.map(({ address }) => address.host)).size, 4)
          // An engine refuses to start what is connected to one of two networks of one name.
          const filters = { label: [`lockkeeper.installation=${installation}`] }
          const networks = yield* Effect.promise(() => docker.listNetworks({ filters }))
          for (const { Name } of networks) names.add(Name)
          assert.isAtLeast(names.size, round)
          for (const made of replicas) {
            for (const { id, name } of workloads) yield* made.stop(name, id)
            assert.strictEqual((yield* made.left).containers, 0)
          }
        }
        const left = replicas.map((made) => made.left)
        assert.deepStrictEqual(yield* Effect.all(left), [nothing, nothing])
      })
    )

    it.live("and keeps its address while its container exists, also after it has ended", () =>
      Effect.gen(function* () {
        const made = yield* runtime({
          networks: { range: { first: 10 * 2 ** 24 + 251 * 2 ** 16, prefix: 24 }, prefix: 29 }
        })
        const ended = yield* made.start(specOf(yield* made.buildOf(shell("exit 0"))))
        const state = made.inspect(ended)
        yield* eventually("it has ended", state, (seen) => seen.state === "exited")
        const image = yield* made.buildOf(sleeping)
        const others = [
          yield* made.start(specOf(image)),
          yield* made.start(specOf(image)),
          yield* made.start(specOf(image))
        ]
        const hosts = [ended, ...others].map(({ address }) => address.host)
        assert.strictEqual(new Set(hosts).size, 4, hosts.join())
      })
    )

    it.live("and is refused when the block is full, with nothing left of it", () =>
      Effect.gen(function* () {
        const made = yield* runtime({
          networks: { range: { first: 10 * 2 ** 24 + 252 * 2 ** 16, prefix: 24 }, prefix: 30 }
        })
        const image = yield* made.buildOf(sleeping)
        const only = yield* made.start(specOf(image))
        const error = yield* Effect.flip(made.start(specOf(image)))
        assert.deepStrictEqual([error.reason, error.detail.includes("no free address")], ["start_failed", true])
        yield* made.stop(only.name, only.id)
        assert.deepStrictEqual(yield* made.left, nothing)
      })
    )
  })

  describe("tells its end", () => {
    it.live("by its code, its signal or its memory, each apart", () =>
      Effect.gen(function* () {
        const made = yield* runtime({ memoryBytes: 32 * 1024 ** 2 })
        const reasonOf = Effect.fnUntraced(function* (line: string) {
          const workload = yield* made.start(specOf(yield* made.buildOf(shell(line))))
          const seen = yield* eventually("it has ended", made.inspect(workload), ({ state }) => state === "exited")
          return seen.state === "exited" ? seen.reason : ""
        })
        assert.strictEqual(yield* reasonOf("exit 3"), "exited with code 3")
        assert.strictEqual(yield* reasonOf("kill -TERM $$"), "exited with code 143")
        const greedy = yield* reasonOf("head -c 100000000 /dev/zero | tail -c 90000000 >/dev/null; sleep 0.3; exit 9")
        assert.include(greedy, "out of memory")
      })
    )

    it.live("as gone when somebody else has removed it", () =>
      Effect.gen(function* () {
        const made = yield* runtime()
        const workload = yield* made.start(specOf(yield* made.buildOf(sleeping)))
        yield* Effect.promise(() => docker.getContainer(workload.id).remove({ force: true }))
        assert.deepStrictEqual(yield* made.inspect(workload), { state: "gone" })
        yield* made.stop(workload.name, workload.id)
        assert.deepStrictEqual(yield* made.left, { ...nothing, networks: 1 })
      })
    )
  })

  describe("says lines", () => {
    it.live(
      "X1 from both outputs in their order, long ones in parts, from the start or from where they were read to",
      () =>
        Effect.gen(function* () {
          const made = yield* runtime()
          const line = `echo one; sleep 0.1; echo two >&2; sleep 0.1; head -c 40000 /dev/zero | tr '\\0' x; echo; printf last`
          const workload = yield* made.start(specOf(yield* made.buildOf(shell(line))))
          const all = yield* Stream.runCollect(made.logs(workload))
          const texts = all.map(({ line, stream }) => `${stream}: ${line}`)
          assert.deepStrictEqual(texts.slice(0, 2), ["stdout: one", "stderr: two"])
          assert.strictEqual(texts.at(-1), "stdout: last")
          const long = all.slice(2, -1).map(({ line }) => line)
          assert.strictEqual(long.join(""), "x".repeat(40_000))
          assert.isAbove(long.length, 2)

          for (const [index, { at }] of all.entries()) {
            if (at === undefined) return assert.fail("every line has its time")
            const millis = at.epochMilliseconds
            const lines = all.slice(0, index + 1).filter((entry) => entry.at?.epochMilliseconds === millis).length
            assert.deepStrictEqual(yield* linesOf(made, workload, { at, lines }), texts.slice(index + 1))
          }
        })
    )
  })

  describe("is stopped", () => {
    it.live("with TERM, and with KILL after the grace where it does not listen", () =>
      Effect.gen(function* () {
        const made = yield* runtime({ grace: "1 second" })
        const deaf = yield* made.start(
          specOf(yield* made.buildOf(shell("trap '' TERM; echo up; while :; do sleep 0.1; done")))
        )
        const polite = yield* made.start(
          specOf(yield* made.buildOf(shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done")))
        )
        const first = made.logs(deaf).pipe(Stream.take(1), Stream.runDrain)
        yield* Effect.all([first, made.logs(polite).pipe(Stream.take(1), Stream.runDrain)])
        const reading = yield* Effect.forkChild(linesOf(made, polite))
        const [politely] = yield* Effect.timed(made.stop(polite.name, polite.id))
        const [killing] = yield* Effect.timed(made.stop(deaf.name, deaf.id))
        assert.isBelow(Duration.toMillis(politely), 1_000)
        assert.isAtLeast(Duration.toMillis(killing), 1_000)
        assert.deepStrictEqual(yield* Fiber.join(reading), ["stdout: up", "stdout: bye"])
        assert.deepStrictEqual(yield* made.left, nothing)
      })
    )
  })
})

describeWith("docker")("a name on Docker", () => {
  it.live("K6 that a foreign container has is refused, to a command too, and that container is left alone", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const image = yield* made.buildOf(sleeping)
      const spec = specOf(image)
      const foreign = yield* Effect.acquireRelease(
        Effect.promise(() => docker.createContainer({ name: spec.name, Image: images.busybox, Cmd: ["sleep", "60"] })),
        (container) => Effect.promise(() => container.remove({ force: true }))
      )
      const error = yield* Effect.flip(made.start(spec))
      assert.deepStrictEqual([error.reason, error.detail.includes("not ours")], ["name_conflict", true])
      const command = made.run(
        { ...spec, command: ["true"] },
        () => Effect.void,
        () => Effect.void
      )
      assert.strictEqual((yield* Effect.flip(command))._tag === "RuntimeError" && error.reason, "name_conflict")
      yield* made.stop(spec.name, undefined)
      assert.strictEqual((yield* Effect.promise(() => foreign.inspect())).State.Status, "created")
      assert.deepStrictEqual(yield* made.owned, [])
      assert.deepStrictEqual(yield* made.left, nothing)
    })
  )

  it.live("INV-10 of another installation is neither owned nor stopped here", () =>
    Effect.gen(function* () {
      const [made, other] = [yield* runtime(), yield* runtime()]
      const workload = yield* other.start(specOf(yield* other.buildOf(sleeping)))
      assert.deepStrictEqual([yield* made.owned, yield* other.owned], [[], [workload.name]])
      yield* made.stop(workload.name, workload.id)
      assert.strictEqual((yield* other.inspect(workload)).state, "running")
      assert.deepStrictEqual(yield* made.inspect(workload), { state: "gone" })
    })
  )

  it.live("that a call whose answer was lost has created is replaced, one that was started is not", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const image = yield* made.buildOf(sleeping)
      const first = yield* made.start(specOf(image))
      const spec = specOf(image)
      const seen = yield* Effect.promise(() => docker.getContainer(first.id).inspect())
      const Labels = { ...seen.Config.Labels, "lockkeeper.workload": spec.name }
      yield* Effect.promise(() => docker.createContainer({ name: spec.name, Image: image, Labels }))
      const workload = yield* made.start(spec)
      assert.strictEqual((yield* made.inspect(workload)).state, "running")
      assert.strictEqual((yield* Effect.flip(made.start(spec))).detail, `the name ${spec.name} is in use`)
      assert.strictEqual((yield* made.inspect(workload)).state, "running")
      assert.strictEqual((yield* made.left).containers, 2)
    })
  )

  it.live("INV-7 is that of a process that is no more: the next one of the replica sees, stops and removes it", () =>
    Effect.gen(function* () {
      const installation = freshInstallation()
      const made = yield* runtime({ installation })
      const workload = yield* made.start(specOf(yield* made.buildOf(sleeping)))
      const next = yield* DockerContainerRuntime.make({ installation, replica: ReplicaId.make("one") }).pipe(
        Effect.provide(subnetPools)
      )
      assert.deepStrictEqual(yield* next.owned, [workload.name])
      assert.strictEqual((yield* next.inspect(workload)).state, "running")
      yield* next.stop(workload.name, undefined)
      assert.deepStrictEqual(yield* made.left, nothing)
    })
  )
})
