// Runs as processes of this host: the Provider keeps every law of its contract.

import { assert, describe, it, layer } from "@effect/vitest"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { RunId } from "@lockkeeper/core/domain/Run"
import { ImageReference } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { NodeName } from "@lockkeeper/core/domain/Topology"
import { Failpoints } from "@lockkeeper/core/port/failpoint"
import type { Provider } from "@lockkeeper/core/port/Provider"
import { Providers } from "@lockkeeper/core/port/Providers"
import type { SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { makeProviderContract } from "@lockkeeper/core/testing/ProviderContract"
import {
  freshCredentials,
  freshRun,
  listener,
  names,
  nodeOf,
  quiet,
  runningOf,
  stepOf,
  type FreshRun,
  type ProviderFixture
} from "@lockkeeper/core/testing/ProviderFixture"
import { Context, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { commandLines } from "../../../test/harness/processes.ts"
import { shell, shellCommands } from "../../../test/harness/providerCommands.ts"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { findProcess, identityText } from "../src/internal/processTable.ts"
import * as ProcessProvider from "../src/ProcessProvider.ts"
import { treeOf } from "./support/running.ts"

class World extends Context.Service<World, { readonly runs: string; readonly tree: SourceTree }>()("test/World") {}

const world = Layer.effectContext(
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const runs = Path.join(directory, "runs")
    const target = ProcessProvider.target({ runs })
    const settings = { process: { graceSeconds: 0.3 } }
    const providers = yield* Layer.build(Providers.layer({ targets: [target], settings, usual: target.target }))
    return Context.add(providers, World, { runs, tree: yield* treeOf({ Procfile: "web: sleep 100000\n" }) })
  })
)

const fixture: ProviderFixture<World> = {
  image: (provider, owner) =>
    Effect.gen(function* () {
      const { tree } = yield* World
      return { digest: yield* provider.build(owner, tree, quiet), reference: null }
    }),
  command: shellCommands,
  runs: (mark) => Effect.sync(() => commandLines().some((line) => line.includes(mark))),
  shown: () => Effect.sync(() => commandLines().join()),
  removal: "process.remove"
}

/** Does something in a Run that is removed when this point is reached; the removal of its files waits until that has ended. */
const removedAt = Effect.fnUntraced(function* <A, E, R>(
  { owner, provider }: FreshRun,
  at: string,
  work: Effect.Effect<A, E, R>
) {
  const ended = yield* Latch.make()
  const removal = Effect.provideService(provider.remove(owner.run), Failpoints, (point, effect) => {
    if (point !== "disk.remove" || at !== "process.start") return effect
    return Effect.andThen(ended.await, effect)
  })
  let removing: Fiber.Fiber<unknown, unknown> | undefined
  const error = yield* Effect.provideService(work, Failpoints, (point, effect) => {
    if (point !== at || removing !== undefined) return effect
    const begin = Effect.forkDetach(removal, { startImmediately: true }).pipe(
      Effect.tap((fiber) => Effect.sync(() => void (removing = fiber))),
      Effect.flatMap((fiber) => (at === "process.start" ? Effect.void : Effect.ignore(Fiber.await(fiber))))
    )
    return Effect.andThen(begin, effect)
  }).pipe(Effect.flip)
  yield* ended.open
  if (removing !== undefined) yield* Fiber.join(removing)
  return error
})

const isEmpty = Effect.map(World, ({ runs }) => (Fs.existsSync(runs) ? Fs.readdirSync(runs) : []).length === 0)

describe("Runs as processes", () => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect.each(makeProviderContract(fixture).map(({ id, law, run }) => ({ id, law, run })))(
      "H42 $id $law",
      ({ run }) =>
        Effect.gen(function* () {
          yield* run
          const { runs } = yield* World
          assert.deepStrictEqual(Fs.existsSync(runs) ? Fs.readdirSync(runs) : [], [])
        }),
      30_000
    )

    it.effect("H17 H30: keeps Credentials in files for this user alone", () =>
      Effect.gen(function* () {
        const run = yield* runningOf(fixture)({ credentials: yield* freshCredentials })
        const { lines, say } = listener()
        const line = `stat -c %a "$LOCKKEEPER_CREDENTIALS" "$LOCKKEEPER_CREDENTIALS/web" "$LOCKKEEPER_CREDENTIALS/.."`
        yield* run.provider.perform(stepOf(run.spec, "looks", shell(line)), say)
        assert.deepStrictEqual(lines, ["700", "600", "700"])
      }).pipe(Effect.scoped)
    )

    it.effect("H14 H37: leave no process of a node or step that was being started while they were removed", () =>
      Effect.gen(function* () {
        const mark = `late-${process.pid}`
        const goesOn = shell(`sleep 99999; : ${mark}`)
        const fresh = yield* freshRun
        yield* fresh.provider.prepare(fresh.owner, null)
        const spec = yield* nodeOf(fixture, fresh, names.web, goesOn)
        const node = yield* removedAt(fresh, "process.start", fresh.provider.start(spec, quiet))
        const run = yield* runningOf(fixture)()
        const performed = run.provider.perform(stepOf(run.spec, "late", goesOn), quiet)
        const step = yield* removedAt(run, "process.start", Effect.timeout(performed, "5 seconds"))
        assert.deepInclude(node, { reason: "start_failed" })
        assert.deepInclude(step, { reason: "step_failed" })
        assert.isFalse(yield* fixture.runs(mark))
        assert.isTrue(yield* isEmpty)
      }).pipe(Effect.scoped)
    )

    it.effect("H14 H30: leave nothing of a build that went on while they were removed", () =>
      Effect.gen(function* () {
        const run = yield* freshRun
        yield* run.provider.prepare(run.owner, null)
        const { tree } = yield* World
        const error = yield* removedAt(run, "disk.directory", run.provider.build(run.owner, tree, quiet))
        assert.deepInclude(error, { reason: "build_failed" })
        assert.isTrue(yield* isEmpty)
      }).pipe(Effect.scoped)
    )

    it.effect("H45: have no port that is the server's", () =>
      Effect.gen(function* () {
        const { runs } = yield* World
        const provider: Provider = yield* ProcessProvider.make(
          { runs, isReserved: (port) => port === 18_181 },
          { graceSeconds: 0.3 }
        )
        const run = { ...(yield* freshRun), provider }
        yield* provider.prepare(run.owner, null)
        const web = yield* nodeOf(fixture, run, names.web, fixture.command.goesOn)
        const error = yield* Effect.flip(provider.start(web, quiet))
        assert.deepInclude(error, { reason: "start_failed", detail: "web: the port 18181 is reserved" })
        yield* provider.start(yield* nodeOf(fixture, run, names.worker, fixture.command.goesOn), quiet)
      }).pipe(Effect.scoped)
    )

    it.effect("H17 H30: a server that starts removes what dead ones left of them, and nothing of one that lives", () =>
      Effect.gen(function* () {
        const { runs } = yield* World
        const run = yield* runningOf(fixture)({ credentials: yield* freshCredentials })
        const own = Fs.readdirSync(runs)
        const self = findProcess(process.pid)
        assert.ok(self)
        const dead = Path.join(runs, `${identityText({ ...self, start: "1" })}-run_dead`)
        Fs.mkdirSync(Path.join(dead, "credentials-web"), { recursive: true, mode: 0o700 })
        yield* ProcessProvider.sweep(runs)
        assert.deepStrictEqual(Fs.readdirSync(runs), own)
        assert.strictEqual((yield* run.inspect).state, "running")
      }).pipe(Effect.scoped)
    )

    it.effect("H1: refuses a node that is an image", () =>
      Effect.gen(function* () {
        const providers = yield* Providers
        const { refuses } = yield* providers.of(providers.usual)
        const name = NodeName.make("db")
        const refused = refuses({ nodes: [{ name, image: ImageReference.make("postgres:18") }], steps: [] })
        assert.deepInclude(refused, { reason: "unsupported_image", node: name })
      })
    )
  })

  it.live("H14 H30: end with their Provider, and their files are gone", () =>
    Effect.gen(function* () {
      const closeable = yield* Scope.make()
      const context = yield* Layer.build(world).pipe(Scope.provide(closeable))
      const mark = `mark-${process.pid}`
      const { runs } = Context.get(context, World)
      const started = Effect.gen(function* () {
        const providers = yield* Providers
        const provider = yield* providers.of(providers.usual)
        const owner = { run: RunId.make("run_ends"), tenant: TenantName.make("acme"), fence: Fence.make(1) }
        yield* provider.prepare(owner, null)
        const spec = yield* nodeOf(
          fixture,
          { provider, owner, lease: null, subnet: null },
          names.web,
          shell(`sleep 99999; : ${mark}`)
        )
        yield* provider.start(spec, quiet)
      })
      yield* Effect.scoped(Effect.provideContext(started, context))
      assert.strictEqual(yield* Effect.provideContext(fixture.runs(mark), context), true)
      yield* Scope.close(closeable, Exit.void)
      assert.strictEqual(
        commandLines().some((line) => line.includes(mark)),
        false
      )
      assert.deepStrictEqual(Fs.existsSync(runs) ? Fs.readdirSync(runs) : [], [])
    })
  )
})
