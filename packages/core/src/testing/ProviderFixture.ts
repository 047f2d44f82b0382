// What laws of Providers begin with: a Run of nobody, its nodes and steps, and what is to be seen of them.
import { Effect, Redacted, type Scope } from "effect"
import { Env } from "../domain/Env.ts"
import { Fence } from "../domain/Lease.ts"
import type { LogEntry } from "../domain/LogLine.ts"
import type { PlanNode } from "../domain/Plan.ts"
import { RunId } from "../domain/Run.ts"
import type { ImageReference } from "../domain/Source.ts"
import { freeAddress, type Subnet } from "../domain/Subnet.ts"
import { NodeName, ResultFile, StepName } from "../domain/Topology.ts"
import { type Command, type ImageDigest, WorkloadPort } from "../domain/Workload.ts"
import type { NodeSpec, Provider, ProviderError, RunOwner, StepSpec } from "../port/Provider.ts"
import { Providers } from "../port/Providers.ts"
import { SubnetOwner } from "../port/SubnetPool.ts"
import * as Given from "./Fixture.ts"

/** The result file of every step of the laws. */
export const resultFile = ResultFile.make("results.json")

/** What a Provider's test gives its laws: an image, commands for it, and a look from outside. */
export interface ProviderFixture<R> {
  /** The image of every node of a Run, and by which reference it is known; null where it was built. */
  readonly image: (
    provider: Provider,
    owner: RunOwner
  ) => Effect.Effect<
    { readonly digest: ImageDigest; readonly reference: ImageReference | null },
    ProviderError,
    R | Scope.Scope
  >
  readonly command: {
    /** Goes on until it is ended. */
    readonly goesOn: Command
    /** Ends with this code. */
    readonly exits: (code: number) => Command
    /** Says `NAME=value` of each variable. */
    readonly environment: Command
    /** Says `node=secret` of each Credential that it finds. */
    readonly credentials: Command
    /** Leaves so many bytes in {@link resultFile}. */
    readonly fills: (bytes: number) => Command
    /** Goes on until it is ended, in several processes that are known by this mark. */
    readonly holds: (mark: string) => Command
  }
  /** Whether a process with this mark runs. */
  readonly runs: (mark: string) => Effect.Effect<boolean, never, R>
  /** All that who is not in the nodes of a Run can read of it: labels, arguments, variables. */
  readonly shown: (run: RunId) => Effect.Effect<string, never, R>
  /** The failpoint at which the removal of one part of a Run can fail. */
  readonly removal: string
}

/** Says nothing to anybody. */
export const quiet = () => Effect.void

/** A Run that nobody has seen, with its block. Whatever comes of it, it is removed and the block given back. */
export const freshRun = Effect.gen(function* () {
  const providers = yield* Providers
  const provider = yield* providers.of(providers.usual)
  const owner: RunOwner = {
    run: RunId.make(`run_${yield* Given.freshLetters}`),
    tenant: yield* Given.freshTenant,
    fence: Fence.make(7)
  }
  const lease = yield* provider.reserve(SubnetOwner.make(owner.run))
  yield* Effect.addFinalizer(() =>
    provider
      .remove(owner.run)
      .pipe(Effect.andThen(lease === null ? Effect.void : provider.giveBack(lease, true)), Effect.ignore)
  )
  return { provider, owner, lease, subnet: lease?.subnet ?? null }
})

/** A Run as {@link freshRun} makes it. */
export type FreshRun = Effect.Success<typeof freshRun>

const [web, worker] = [NodeName.make("web"), NodeName.make("worker")]

/** The names of the nodes of the laws. */
export const names = { web, worker }

const addressOf = (subnet: Subnet | null, place: number) =>
  subnet === null ? null : (freeAddress(subnet, new Set(), place) ?? null)

/** A node of a Run. It is given its own Credential, or those of the nodes that are `known` to it. */
export const nodeOf = Effect.fnUntraced(function* <R>(
  { image }: ProviderFixture<R>,
  { owner, provider, subnet }: FreshRun,
  name: NodeName,
  command: Command,
  more: Partial<Pick<NodeSpec, "env" | "credentials">> & { readonly known?: ReadonlyArray<NodeName> } = {}
) {
  const { credentials = new Map(), env = Env.empty, known = [name] } = more
  const { digest, reference } = yield* image(provider, owner)
  const place = name === web ? 0 : 1
  const node: PlanNode = {
    name,
    image: reference === null ? null : { reference, digest },
    source: null,
    address: addressOf(subnet, place),
    command,
    env: env.keys(),
    ports: [WorkloadPort.make(18_181 + place)],
    waitsFor: [],
    check: null,
    credentials: known
  }
  return { owner, subnet, node, image: digest, env, credentials } satisfies NodeSpec
})

/** A step in a node. */
export const stepOf = (spec: NodeSpec, name: string, command: Command, hasResult = true): StepSpec => ({
  ...spec,
  step: {
    name: StepName.make(name),
    node: spec.node.name,
    command,
    timeoutSeconds: 60,
    result: hasResult ? { file: resultFile, kind: "json" } : null
  }
})

/** Who hears lines, and what was heard. */
export const listener = () => {
  const lines: Array<string> = []
  return { lines, say: ({ line }: LogEntry) => Effect.sync(() => void lines.push(line)) }
}

/** Credentials that nobody has seen. */
export const freshCredentials = Effect.gen(function* () {
  const secret = Effect.map(Given.freshLetters, (letters) => Redacted.make(`secret-${letters}`))
  return new Map([
    [web, yield* secret],
    [worker, yield* secret]
  ])
})

/** Makes a Run with one node that goes on. */
export const runningOf = <R>(fixture: ProviderFixture<R>) =>
  Effect.fnUntraced(function* (more: Parameters<typeof nodeOf>[4] = {}) {
    const run = yield* freshRun
    yield* run.provider.prepare(run.owner, run.subnet)
    const spec = yield* nodeOf(fixture, run, names.web, fixture.command.goesOn, more)
    const place = yield* run.provider.start(spec, quiet)
    return { ...run, spec, place, inspect: run.provider.inspect(run.owner.run, names.web) }
  })
