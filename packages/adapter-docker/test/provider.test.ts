// Runs on the real engine: the Provider keeps every law of its contract, and what it makes is as hardened as Workloads are.

import { assert, describe, layer } from "@effect/vitest"
import { makeProviderContract } from "@lockkeeper/core/testing/ProviderContract"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Providers } from "@lockkeeper/core/port/Providers"
import { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { Failpoints } from "@lockkeeper/core/port/failpoint"
import {
  freshCredentials,
  freshRun,
  listener,
  names,
  nodeOf,
  quiet,
  runningOf,
  stepOf
} from "@lockkeeper/core/testing/ProviderFixture"
import { Effect, Layer, Redacted } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import { newOwner } from "../src/internal/labels.ts"
import * as Networks from "../src/internal/networks.ts"
import { counts, freshInstallation, nothing, subnetPools } from "./support/engine.ts"
import { docker } from "../../../test/harness/engine.ts"
import { images } from "../../../test/harness/images.ts"
import { fixture, fixtureOf, providersOf, shownOf } from "./support/provider.ts"

const installation = freshInstallation()

describe("Runs", () => {
  describeWith("docker")("on Docker", () => {
    layer(providersOf(installation), { excludeTestServices: true })((it) => {
      it.effect.each(makeProviderContract(fixture).map(({ id, law, run }) => ({ id, law, run })))(
        "H42 $id $law",
        ({ run }) =>
          Effect.gen(function* () {
            yield* run
            assert.deepStrictEqual(yield* counts(installation), nothing)
          }),
        60_000
      )

      it.effect(
        "H19 H17: gives a node what it takes to drop root and no other capability, no mount and no port of the host",
        () =>
          Effect.gen(function* () {
            const credentials = yield* freshCredentials
            const { owner } = yield* runningOf(fixture)({ credentials, known: [names.web, names.worker] })
            const filters = { label: [`lockkeeper.run=${owner.run}`] }
            const [container] = yield* Effect.promise(() => docker.listContainers({ filters }))
            assert.ok(container)
            const seen = yield* Effect.promise(() => docker.getContainer(container.Id).inspect())
            const { Binds, CapAdd, CapDrop, Memory, NanoCpus, PidsLimit, PortBindings, Privileged, SecurityOpt } =
              seen.HostConfig
            assert.deepInclude(
              { CapDrop, Privileged, SecurityOpt, PidsLimit, Memory, NanoCpus },
              {
                CapDrop: ["ALL"],
                Privileged: false,
                SecurityOpt: ["no-new-privileges"],
                PidsLimit: 512,
                Memory: 512 * 1024 ** 2,
                NanoCpus: 1e9
              }
            )
            const caps = (CapAdd ?? []).map((name: string) => name.replace("CAP_", ""))
            assert.deepStrictEqual(caps.sort(), ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"])
            assert.deepStrictEqual([Binds ?? [], seen.Mounts], [[], []])
            assert.deepStrictEqual(Object.values({ ...PortBindings, ...seen.NetworkSettings.Ports }).flat(), [])
            assert.strictEqual(Object.keys(seen.NetworkSettings.Networks).length, 1)
            const shown = yield* shownOf(owner.run)
            for (const secret of credentials.values()) assert.notInclude(shown, Redacted.value(secret))
          }).pipe(Effect.scoped)
      )

      it.effect("H17: lets a user who is not root read its Credentials and change none, and write its results", () =>
        Effect.gen(function* () {
          const node = fixtureOf(images.node)
          const credentials = yield* freshCredentials
          const run = yield* runningOf({
            ...node,
            command: { ...node.command, goesOn: ["node", "-e", "setInterval(() => 0, 1e6)"] }
          })({ credentials })
          const { lines, say } = listener()
          const script = `const fs = require("node:fs"), path = process.env.LOCKKEEPER_CREDENTIALS + "/web"
            console.log(process.getuid() !== 0, fs.readFileSync(path, "utf8"))
            try { fs.writeFileSync(path, "mine") } catch (error) { console.log(error.code) }
            fs.writeFileSync(process.env.LOCKKEEPER_RESULTS + "/results.json", "{}")`
          const { exitCode, file } = yield* run.provider.perform(stepOf(run.spec, "reads", ["node", "-e", script]), say)
          const secret = Redacted.value(credentials.get(names.web) ?? Redacted.make(""))
          assert.deepStrictEqual([exitCode, lines], [0, [`true ${secret}`, "EACCES"]])
          assert.strictEqual(Buffer.from(file ?? []).toString(), "{}")
        }).pipe(Effect.scoped)
      )

      it.effect(
        "H39: takes a link in the place of a result file for none, and a file of a gigabyte for its beginning",
        () =>
          Effect.gen(function* () {
            const run = yield* runningOf(fixture)()
            const took = (name: string, line: string) =>
              run.provider.perform(stepOf(run.spec, name, ["sh", "-c", `cd "$LOCKKEEPER_RESULTS" && ${line}`]), quiet)
            assert.strictEqual((yield* took("link", "ln -s /etc/passwd results.json")).file, undefined)
            assert.strictEqual((yield* took("folder", "mkdir results.json")).file, undefined)
            assert.strictEqual((yield* took("full", "mkdir results.json && echo {} >results.json/a")).file, undefined)
            const large = yield* took(
              "large",
              "dd if=/dev/zero of=results.json bs=1 count=1 seek=1073741823 2>/dev/null"
            )
            assert.strictEqual(large.file?.length, 1_048_577)
          }).pipe(Effect.scoped)
      )

      it.effect("H37: leaves nothing of a node that cannot be started", () =>
        Effect.gen(function* () {
          const run = yield* freshRun
          yield* run.provider.prepare(run.owner, run.subnet)
          const spec = yield* nodeOf(fixture, run, names.web, ["true"])
          for (const failing of ["docker.put files", "docker.start"]) {
            const start = run.provider.start(spec, quiet)
            const failed = Effect.provideService(start, Failpoints, (point, effect, refuse) =>
              point === failing && refuse !== undefined ? refuse : effect
            )
            assert.strictEqual((yield* Effect.flip(failed)).reason, "provider_unavailable")
          }
          assert.deepStrictEqual(yield* counts(installation), { ...nothing, networks: 1 })
        }).pipe(Effect.scoped)
      )

      it.effect("X11: lets nodes of a Run find each other by name", () =>
        Effect.gen(function* () {
          const run = yield* runningOf(fixture)()
          const other = yield* nodeOf(fixture, run, names.worker, ["sh", "-c", "echo hello | nc -l -p 18182"])
          yield* run.provider.start(other, quiet)
          const { lines, say } = listener()
          const ask = "for i in 1 2 3 4 5; do nc -w 2 worker 18182 </dev/null && break; sleep 0.3; done"
          yield* run.provider.perform(stepOf(run.spec, "asks", ["sh", "-c", ask]), say)
          assert.include(lines, "hello")
        }).pipe(Effect.scoped)
      )

      it.effect(
        "H31 H45: lets another replica see and remove a Run, and the sweeps of Tenants' networks pass it by",
        () =>
          Effect.gen(function* () {
            const run = yield* runningOf(fixture)()
            const owner = newOwner(installation, ReplicaId.make("two"))
            const range = { first: 10 * 2 ** 24, prefix: 24 }
            const subnets = yield* Effect.provide(SubnetPool, subnetPools)
            yield* Networks.sweep(docker, owner, { range, prefix: 28, subnets })
            assert.deepStrictEqual(yield* counts(installation), { ...nothing, containers: 1, networks: 1 })
            const two = yield* Layer.build(providersOf(installation, {}, ReplicaId.make("two")))
            const other = yield* Effect.flatMap(Providers, (it) => it.of(it.usual)).pipe(Effect.provideContext(two))
            assert.deepStrictEqual(yield* other.owned, [run.owner.run])
            yield* other.remove(run.owner.run)
            assert.deepStrictEqual(yield* counts(installation), nothing)
            assert.strictEqual((yield* run.inspect).state, "gone")
          }).pipe(Effect.scoped)
      )
    })
  })
})
