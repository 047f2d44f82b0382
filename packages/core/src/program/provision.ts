// What a Run is made of, decided and on record before anything of it exists: its Plan, and a Credential for each node.
import { Effect, Redacted, Result } from "effect"
import { type Plan, plan } from "../domain/Plan.ts"
import { makeRedactor, secretsOf } from "../domain/Redactor.ts"
import type { ImageReference } from "../domain/Source.ts"
import { type NodeName, type Topology, variablesOf } from "../domain/Topology.ts"
import { imageOf } from "../domain/topologyRefusal.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { Credentials, Provider } from "../port/Provider.ts"
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { failed, failedBy, ownerOf, type RunFailed, type RunPlace, system } from "./RunInHand.ts"
import { untilWritten } from "./untilWritten.ts"

/** What was decided and recorded of a Run. */
export interface Provision {
  readonly plan: Plan
  readonly credentials: Credentials
}

/**
 * Decides what a Run is made of, records it, and prepares what its nodes share. What cannot be recorded is not made. From
 * here on its log hides the Credentials too.
 */
export const provision = Effect.fn("provision")(function* (
  place: RunPlace
): Effect.fn.Return<Provision, RunFailed | LeaseLost | StoreError, RunStore> {
  const { log, provider, run } = place
  const runs = yield* RunStore
  const { network, topology } = run
  const subnet = network?.subnet ?? null
  const digests = yield* resolved(provider, topology)
  const made = yield* Result.match(plan(topology, { subnet, digests }), {
    onSuccess: Effect.succeed,
    onFailure: (error) => failed("internal", error.message, error.node)
  })

  const credentials: Credentials = new Map(made.nodes.map(({ name }) => [name, freshCredential()]))
  yield* log.hide(makeRedactor([...secretsIn(topology), ...credentials.values()]))
  const nodes = made.nodes.map(({ address, image, name }) => ({
    name,
    status: "pending" as const,
    image: image?.digest ?? null,
    address
  }))
  yield* untilWritten(runs.record(run, { plan: made, credentials, nodes }))

  yield* Effect.mapError(provider.prepare(ownerOf(place), subnet), failedBy(null))
  yield* log.say(system("prepared"))
  return { plan: made, credentials }
})

/** What must not be said of a Run: the values of its variables and the keys of its Sources. */
export const secretsIn = ({ nodes }: Topology): ReadonlyArray<Redacted.Redacted<string>> =>
  nodes.flatMap((node) => secretsOf(variablesOf(node), node.source))

/** What each image reference leads to now; one with a digest is brought here too. */
const resolved = Effect.fnUntraced(function* (provider: Provider, topology: Topology) {
  const nodes = new Map<ImageReference, NodeName>()
  for (const node of topology.nodes) {
    const reference = imageOf(node)
    if (reference !== undefined) nodes.set(reference, node.name)
  }
  const digests = yield* Effect.forEach(
    nodes,
    ([reference, node]) =>
      provider.resolve(reference).pipe(
        Effect.map((digest) => [reference, digest] as const),
        Effect.mapError(failedBy(node))
      ),
    { concurrency: 4 }
  )
  return new Map<ImageReference, ImageDigest>(digests)
})

/** 256 random bits, in base64url. */
const freshCredential = () =>
  Redacted.make(
    btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "")
  )
