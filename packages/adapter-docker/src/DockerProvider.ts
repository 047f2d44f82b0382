// Makes the nodes of Runs as containers of a Docker engine, each Run on a network of its own in its own block of addresses.
// What there is of a Run is found again by its labels. How it is hardened is in nodeSpec.ts, what a step is in nodes.ts.

import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Target } from "@lockkeeper/core/domain/Run"
import { parse, type Subnet } from "@lockkeeper/core/domain/Subnet"
import { blocks } from "@lockkeeper/core/port/blocks"
import { type Provider, ProviderError, type RunOwner } from "@lockkeeper/core/port/Provider"
import { type TargetSpec, targetSpec } from "@lockkeeper/core/port/Providers"
import { SubnetOwner, SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { Effect, Schema, type Scope } from "effect"
import { inspectEngine } from "./DockerEngine.ts"
import type { InstallationId } from "./InstallationId.ts"
import { inBackground } from "./internal/background.ts"
import { build } from "./internal/build.ts"
import { connect } from "./internal/connect.ts"
import { type EngineError, isAbsent } from "./internal/EngineError.ts"
import { hostRoutes } from "./internal/hostRoutes.ts"
import * as Images from "./internal/images.ts"
import { imageLabel, newOwner } from "./internal/labels.ts"
import { keepBlocks, keepEvery, type NetworkPool, poolOf } from "./internal/networkBlocks.ts"
import * as Networks from "./internal/networks.ts"
import * as Nodes from "./internal/nodes.ts"
import { asProviderError } from "./internal/providerErrors.ts"
import { ownedRuns, removeRun } from "./internal/removeRun.ts"
import * as RunImages from "./internal/runImages.ts"
import * as RunNetworks from "./internal/runNetworks.ts"

/** A range of addresses, as `10.216.0.0/13`. */
const Range = Schema.String.check(Schema.makeFilter((text) => parse(text) !== undefined || "a block as 10.0.0.0/8"))

/**
 * What the operator says of Runs on Docker, all of it optional. `engine` is as in {@link DockerEngineOptions}. Each Run has a
 * block of `prefix` bits (25: 125 nodes) in `range` (10.216.0.0/13). `memoryBytes` (512 MiB), `cpus` (1) and `pids` (512)
 * bound each node, each step, and, but for `pids`, a build.
 */
export const DockerProviderSettings = Schema.Struct({
  engine: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^(?:unix|tcp):\/\/./))),
  range: Schema.optionalKey(Range),
  prefix: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 8, maximum: 29 }))),
  memoryBytes: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(6 * 1024 ** 2))),
  cpus: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
  pids: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0)))
})

/** The type of {@link DockerProviderSettings}. */
export interface DockerProviderSettings extends Schema.Schema.Type<typeof DockerProviderSettings> {}

/** Whose the Runs are. */
export interface DockerProviderOptions {
  readonly installation: InstallationId
  readonly replica: ReplicaId
}

const defaultRange: Subnet = { first: 10 * 2 ** 24 + 216 * 2 ** 16, prefix: 13 }

const unavailable = ({ message }: { readonly message: string }) =>
  new ProviderError({ reason: "provider_unavailable", detail: message })

/** Makes the Provider. `provider_unavailable` when the engine does not answer, or is too old. */
export const make = Effect.fnUntraced(function* (
  { installation, replica }: DockerProviderOptions,
  settings: DockerProviderSettings
): Effect.fn.Return<Provider, ProviderError, Scope.Scope | SubnetPool> {
  const { cpus = 1, memoryBytes = 512 * 1024 ** 2, pids = 512, prefix = 25 } = settings
  const engine = { engine: settings.engine }
  yield* Effect.mapError(inspectEngine(engine), unavailable)

  const docker = connect(engine)
  const owner = newOwner(installation, replica)
  const limits = { cpus, memoryBytes, pids }
  const context = { docker, owner, limits, scope: yield* Effect.scope }
  const subnets = yield* SubnetPool
  const pool: NetworkPool = { purpose: "runs", range: parse(settings.range ?? "") ?? defaultRange, prefix, subnets }
  const networks = RunNetworks.labels(docker, owner)
  yield* inBackground("keeping the blocks of runs", keepBlocks(docker, pool, networks), keepEvery)

  const away = Effect.mapError<EngineError, ProviderError>(asProviderError("provider_unavailable"))
  const ofPool = blocks({
    subnets,
    pool: away(poolOf(docker, pool)),
    taken: Effect.zipWith(away(Networks.list(docker)), hostRoutes, (all, routes) => [
      ...all.flatMap(Networks.subnetsOf),
      ...routes
    ])
  })

  const prepare = Effect.fn("DockerProvider.prepare")(function* (of: RunOwner, subnet: Subnet | null) {
    if (subnet === null) {
      return yield* new ProviderError({ reason: "start_failed", detail: `${of.run} has no block of addresses` })
    }
    const lease = yield* ofPool.held(SubnetOwner.make(of.run), subnet)
    yield* Effect.mapError(RunNetworks.ensure(docker, owner, of, lease), asProviderError("start_failed"))
  })

  return {
    refuses: () => undefined,
    reserve: ofPool.reserve,
    extend: ofPool.extend,
    giveBack: ofPool.giveBack,
    resolve: Effect.fn("DockerProvider.resolve")((reference) =>
      Images.resolve(docker, reference).pipe(
        Effect.map(({ id }) => id),
        Effect.mapError(asProviderError("image_not_found"))
      )
    ),
    build: Effect.fn("DockerProvider.build")(({ run }, tree, say) =>
      Effect.scoped(build(docker, tree.directory, imageLabel(owner), limits, say)).pipe(
        Effect.tap((image) => RunImages.keep(docker, installation, run, image)),
        // What was found in the engine's cache may have been removed before it was kept.
        Effect.retry({ times: 1, while: (error) => error._tag === "EngineError" && isAbsent(error) }),
        Effect.mapError(asProviderError("build_failed"))
      )
    ),
    prepare,
    start: Effect.fn("DockerProvider.start")((spec, say) =>
      Effect.mapError(Nodes.start(context, spec, say), asProviderError("start_failed"))
    ),
    inspect: Effect.fn("DockerProvider.inspect")((run, node) => away(Nodes.inspect(context, run, node))),
    perform: Effect.fn("DockerProvider.perform")((spec, say) =>
      Effect.mapError(Nodes.perform(context, spec, say), asProviderError("step_failed"))
    ),
    remove: Effect.fn("DockerProvider.remove")((run) => removeRun(docker, owner, run)),
    owned: away(ownedRuns(docker, owner))
  }
})

/** The target `docker`, for {@link Providers.layer}. */
export const target = (options: DockerProviderOptions): Effect.Effect<TargetSpec, never, SubnetPool> =>
  Effect.map(SubnetPool, (subnets) =>
    targetSpec({
      target: Target.make("docker"),
      settings: DockerProviderSettings,
      make: (settings) => Effect.provideService(make(options, settings), SubnetPool, subnets)
    })
  )
