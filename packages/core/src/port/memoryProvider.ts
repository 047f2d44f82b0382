// Nodes of Runs that are only remembered. They run until they are removed, unless the state says that they ail; what a step
// can do is said at `performed`. For unit tests and models.
import { Effect, Latch, Redacted } from "effect"
import { ownDigest } from "../domain/imageVersion.ts"
import type { RunId } from "../domain/Run.ts"
import type { ImageReference } from "../domain/Source.ts"
import type { Subnet } from "../domain/Subnet.ts"
import { format } from "../domain/Subnet.ts"
import { Address, ImageDigest, IpAddress } from "../domain/Workload.ts"
import { maxResultBytes } from "../domain/StepResult.ts"
import { blocks, type RunPool } from "./blocks.ts"
import { failpoint } from "./failpoint.ts"
import type { NodeRow, PlaceRow } from "./memoryPlaces.ts"
import type { MemoryTables } from "./MemoryState.ts"
import {
  type NodeSpec,
  type Provider,
  ProviderError,
  RemovalError,
  type RunOwner,
  type StepExit,
  type StepSpec
} from "./Provider.ts"
import { SubnetOwner } from "./SubnetPool.ts"

type Failure = ProviderError["reason"]

const failed = (reason: Failure, detail: string) => Effect.fail(new ProviderError({ reason, detail }))

/** Makes a Provider over the state: with a pool its Runs have Subnets, without one they share the host. */
export const makeMemoryProvider = (state: MemoryTables, pool?: RunPool): Provider => {
  const ofPool = pool === undefined ? undefined : blocks(pool)

  const digest = () => ImageDigest.make(`sha256:${(++state.sequence).toString(16).padStart(64, "0")}`)
  const kept = (image: ImageDigest) => {
    state.images.add(image)
    return image
  }

  const resolve = (reference: ImageReference) =>
    Effect.suspend(() => {
      const isNowhere = state.refusals.has(reference) || reference.startsWith("127.0.0.1:1/")
      if (isNowhere) return failed("image_not_found", `there is no image ${reference}`)
      const image = ownDigest(reference) ?? state.provided.references.get(reference) ?? digest()
      state.provided.references.set(reference, image)
      return Effect.succeed(kept(image))
    })

  const prepare = Effect.fnUntraced(function* (owner: RunOwner, subnet: Subnet | null) {
    const place = state.provided.places.get(owner.run)
    const other = subnet && [...state.provided.places.values()].find((it) => it !== place && isOf(it, subnet))
    if (other || (place !== undefined && (place.owner.tenant !== owner.tenant || !isOf(place, subnet)))) {
      return yield* failed("name_conflict", `the place of ${owner.run} is taken`)
    }
    if (ofPool !== undefined && subnet !== null) yield* ofPool.held(SubnetOwner.make(owner.run), subnet)
    if (place !== undefined) return
    const nothing = { nodes: new Map(), marks: new Set<string>(), removed: Latch.makeUnsafe() }
    state.provided.places.set(owner.run, { owner, subnet, ...nothing })
  })

  const start = Effect.fnUntraced(function* (spec: NodeSpec, say: Parameters<Provider["start"]>[1]) {
    const { image, node, owner } = spec
    const place = state.provided.places.get(owner.run)
    if (place === undefined) return yield* failed("start_failed", `nothing was prepared for ${owner.run}`)
    if (!state.images.has(image)) return yield* failed("image_not_found", `the image ${image} is gone`)
    if (place.nodes.has(node.name)) return yield* failed("name_conflict", `the node ${node.name} is there`)
    const ailment = state.provided.ailments.get(node.name)
    if (ailment === "refusal") return yield* failed("start_failed", `the node ${node.name} cannot be started`)
    const [program, code] = node.command ?? []
    const exit = ailment === "exit" ? "1" : program === "exit" ? code : undefined
    const [port] = node.ports
    const host = node.address ?? IpAddress.make("127.0.0.1")
    const address = port === undefined ? null : Address.make({ host, port })
    const started: NodeRow = {
      spec,
      place: { node: node.name, address },
      state: exit === undefined ? { state: "running" } : { state: "exited", reason: `exited with code ${exit}` }
    }
    place.nodes.set(node.name, started)
    yield* say({ stream: "stdout", line: `${node.name} is up` })
    return started.place
  })

  const perform = Effect.fnUntraced(function* (spec: StepSpec, say: Parameters<Provider["perform"]>[1]) {
    const place = state.provided.places.get(spec.owner.run)
    if (place?.nodes.get(spec.node.name)?.state.state !== "running") {
      return yield* failed("step_failed", `the node ${spec.node.name} does not run`)
    }
    return yield* performed(state, place, spec, say)
  })

  const remove = Effect.fnUntraced(function* (run: RunId) {
    const place = state.provided.places.get(run)
    if (place === undefined) return
    const left: Array<RemovalError["left"][number]> = []
    for (const name of place.nodes.keys()) {
      const removed = Effect.sync(() => void place.nodes.delete(name))
      const result = yield* Effect.result(failpoint("memory.remove", removed, Effect.fail("a failpoint")))
      if (result._tag === "Failure") left.push({ what: `the node ${name}`, detail: result.failure })
    }
    if (left.length > 0) return yield* new RemovalError({ left })
    state.provided.places.delete(run)
    yield* place.removed.open
  })

  return {
    refuses: () => undefined,
    reserve: (owner) => ofPool?.reserve(owner) ?? Effect.succeed(null),
    extend: (lease) => ofPool?.extend(lease) ?? Effect.void,
    giveBack: (lease, unused) => ofPool?.giveBack(lease, unused) ?? Effect.void,
    resolve,
    build: Effect.fnUntraced(function* (owner, tree, say) {
      if (!state.provided.places.has(owner.run)) {
        return yield* failed("build_failed", `nothing was prepared for ${owner.run}`)
      }
      const image = kept(digest())
      yield* say({ stream: "build", line: `built ${tree.directory} as ${image}` })
      return image
    }),
    prepare,
    start,
    inspect: (run, node) =>
      Effect.sync(() => state.provided.places.get(run)?.nodes.get(node)?.state ?? ({ state: "gone" } as const)),
    perform,
    remove,
    owned: Effect.sync(() => [...state.provided.places.keys()])
  }
}

const isOf = ({ subnet }: PlaceRow, other: Subnet | null): boolean =>
  subnet === null || other === null ? subnet === other : format(subnet) === format(other)

/**
 * What a step does, as a node that `exit`s: `exit CODE`, `env` and `credentials` say what it is given, `fill BYTES` leaves a result file of that
 * size, `hold MARK` goes on until it is ended, `false` fails. Everything else succeeds, with the result file that the state
 * has for it.
 */
const performed = (
  state: MemoryTables,
  place: PlaceRow,
  { credentials, env, node, step }: StepSpec,
  say: Parameters<Provider["perform"]>[1]
): Effect.Effect<StepExit> => {
  const [program, argument = ""] = step.command
  const given = step.result === null ? undefined : state.provided.resultFiles.get(step.result.file)
  const ended = (exitCode: number, file = given): StepExit => ({ exitCode, file: file?.slice(0, maxResultBytes + 1) })
  const says = (lines: ReadonlyArray<string>) =>
    Effect.as(
      Effect.forEach(lines, (line) => say({ stream: "stdout", line })),
      ended(0)
    )
  switch (program) {
    case "false":
      return Effect.succeed(ended(1))
    case "exit":
      return Effect.succeed(ended(Number(argument)))
    case "env":
      return says([...[...env].map(([key, value]) => `${key}=${Redacted.value(value)}`), `PORT=${node.ports[0] ?? ""}`])
    case "credentials":
      return says(
        [...credentials]
          .filter(([name]) => node.credentials.includes(name))
          .map(([name, value]) => `${name}=${Redacted.value(value)}`)
      )
    case "fill":
      return Effect.succeed(ended(0, step.result === null ? undefined : new Uint8Array(Number(argument))))
    case "hold":
      return Effect.acquireUseRelease(
        Effect.sync(() => place.marks.add(argument)),
        () => place.removed.await.pipe(Effect.as({ exitCode: 137, file: undefined })),
        () => Effect.sync(() => place.marks.delete(argument))
      )
    default:
      return says([`did ${step.command.join(" ")}`])
  }
}
