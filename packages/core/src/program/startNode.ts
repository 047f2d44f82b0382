// Starts one node of a Run: makes its image where it is built from a Source, and waits until it serves.
import { Duration, Effect, Schedule } from "effect"
import type { PlanNode } from "../domain/Plan.ts"
import type { NodeStatus, RunNode } from "../domain/Run.ts"
import type { Address, ImageDigest } from "../domain/Workload.ts"
import type { LeaseLost } from "../port/Claim.ts"
import { HealthProbe } from "../port/HealthProbe.ts"
import type { NodeSpec } from "../port/Provider.ts"
import { RunStore } from "../port/RunStore.ts"
import { SourceFetcher } from "../port/SourceFetcher.ts"
import type { StoreError } from "../port/StoreError.ts"
import { nodeLines } from "./nodeLines.ts"
import { RunDeadlines } from "./runDeadlines.ts"
import { failed, failedBy, ownerOf, type RunFailed, type RunPlace, system, within } from "./RunInHand.ts"
import { untilWritten } from "./untilWritten.ts"

/** The image of a node: what its Plan says, or what is built from its Source, which is gone from here then. */
export const nodeImage = Effect.fn("nodeImage")(function* (
  place: RunPlace,
  { image, name }: PlanNode
): Effect.fn.Return<ImageDigest, RunFailed, SourceFetcher> {
  if (image !== null) return image.digest
  const { log, provider, run } = place
  const source = run.topology.nodes.find((node) => node.name === name)?.source
  if (source === undefined) return yield* failed("internal", `the node ${name} has no source`, name)
  const fetcher = yield* SourceFetcher
  const limits = yield* RunDeadlines
  const say = yield* nodeLines(place, name)
  const built = Effect.gen(function* () {
    yield* log.say(system(`fetching the ${source.type} source of ${name}`))
    const fetching = Effect.mapError(fetcher.fetch(source), failedBy(name))
    const tree = yield* within(limits.fetch, "fetching", fetching, name)
    if ("image" in tree) return tree.image
    yield* log.say(system(`building ${name}`))
    return yield* within(
      limits.build,
      "building",
      Effect.mapError(provider.build(ownerOf(place), tree, say), failedBy(name)),
      name
    )
  })
  return yield* Effect.scoped(built)
})

/** Starts a node and waits until it is ready: its check passes, or without one it runs. Each of both is on record. */
export const startNode = Effect.fn("startNode")(function* (
  place: RunPlace,
  spec: NodeSpec
): Effect.fn.Return<void, RunFailed | LeaseLost | StoreError, HealthProbe | RunStore> {
  const { log, provider } = place
  const { name } = spec.node
  yield* recorded(place, spec, "starting")
  yield* log.say(system(`starting ${name}`))
  const say = yield* nodeLines(place, name)
  const started = Effect.gen(function* () {
    const { address } = yield* Effect.mapError(provider.start(spec, say), failedBy(name))
    yield* awaitReady(place, spec.node, address)
  })
  yield* Effect.tapError(started, () => Effect.ignore(recorded(place, spec, "failed")))
  yield* recorded(place, spec, "ready")
  yield* log.say(system(`${name} is ready`))
})

/** Writes down where a node stands. */
const recorded = Effect.fnUntraced(function* ({ run }: RunPlace, { image, node }: NodeSpec, status: NodeStatus) {
  const runs = yield* RunStore
  const seen: RunNode = { name: node.name, status, image, address: node.address }
  yield* untilWritten(runs.record(run, { nodes: [seen] }))
})

/** Waits until a node serves, at most as long as its check allows; one that ends before fails at once. */
const awaitReady = Effect.fnUntraced(function* (place: RunPlace, node: PlanNode, address: Address | null) {
  yield* ensureRuns(place, node)
  if (node.check === null || address === null) return
  const { healthCheck } = node.check
  const probe = yield* HealthProbe
  const every = Duration.millis(healthCheck.intervalMillis)
  let last = "nothing answered"
  const serves = probe.probe(address, healthCheck).pipe(
    Effect.as(true),
    Effect.catch(({ detail }) => Effect.sync(() => ((last = detail), false))),
    Effect.repeat({ until: (isServing) => isServing, schedule: Schedule.spaced(every) }),
    Effect.andThen(ensureRuns(place, node))
  )
  const ends = Effect.forever(Effect.andThen(Effect.sleep(every), ensureRuns(place, node)))
  yield* Effect.timeoutOrElse(Effect.raceFirst(serves, ends), {
    duration: Duration.seconds(healthCheck.timeoutSeconds),
    orElse: () => failed("unhealthy", `not ready within ${healthCheck.timeoutSeconds} s: ${last}`, node.name)
  })
})

/** Fails when a node has ended or is gone. One that cannot be seen now is taken to run. */
const ensureRuns = Effect.fnUntraced(function* ({ provider, run }: RunPlace, { name }: PlanNode) {
  const seen = yield* Effect.catch(provider.inspect(run.run.id, name), () =>
    Effect.succeed({ state: "running" } as const)
  )
  if (seen.state === "exited") {
    return yield* failed("start_failed", `it ended before it was ready: ${seen.reason}`, name)
  }
  if (seen.state === "gone") return yield* failed("start_failed", "it is gone before it was ready", name)
})
