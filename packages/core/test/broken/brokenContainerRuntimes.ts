// ContainerRuntimes that make the mistakes their contract exists for.

import { Effect, Stream } from "effect"
import { Address, IpAddress, WorkloadName } from "../../src/domain/Workload.ts"
import { ContainerRuntime, RuntimeError } from "../../src/port/ContainerRuntime.ts"
import { memoryTrees } from "../support/memoryFixtures.ts"
import { altered, type Broken } from "./Broken.ts"

const address = Address.make({ host: IpAddress.make("127.0.0.1"), port: 8080 })

const failed = (reason: RuntimeError["reason"]) => Effect.fail(new RuntimeError({ reason, detail: reason }))

/** Broken ContainerRuntimes. */
export const brokenContainerRuntimes: ReadonlyArray<Broken> = [
  {
    what: "a ContainerRuntime that puts the time of a build into its image",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-1", "ContainerRuntime-2"],
    layer: altered(ContainerRuntime, (original, state) => ({
      build: (tree, say) => original.build({ ...tree, directory: `${tree.directory}/${++state.sequence}` }, say)
    }))
  },
  {
    what: "a ContainerRuntime that tells trees by what is at their top",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-2"],
    layer: altered(ContainerRuntime, (original) => ({ build: (_, say) => original.build(memoryTrees.tree, say) }))
  },
  {
    what: "a ContainerRuntime that reads folders as files",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-2", "ContainerRuntime-3"],
    layer: altered(ContainerRuntime, (original) => ({
      build: (tree, say) =>
        tree.directory === memoryTrees.deeper.directory ? failed("build_failed") : original.build(tree, say)
    }))
  },
  {
    what: "a ContainerRuntime that takes every image for there",
    contract: "ContainerRuntime",
    violates: ["INV-9 what was built", "INV-10 an image is listed", "INV-9 an image that was kept anew"],
    layer: altered(ContainerRuntime, () => ({ hasImage: () => Effect.succeed(true) }))
  },
  {
    what: "a ContainerRuntime that takes every image for gone",
    contract: "ContainerRuntime",
    violates: [
      "INV-9 what was built",
      "INV-10 an image is listed",
      "INV-9 an image that was built again",
      "INV-9 an image that was kept anew",
      "INV-9 an image from which"
    ],
    layer: altered(ContainerRuntime, () => ({ hasImage: () => Effect.succeed(false) }))
  },
  {
    what: "a ContainerRuntime that replaces what bears the name of a command",
    contract: "ContainerRuntime",
    violates: ["K6"],
    layer: altered(ContainerRuntime, (original) => ({
      run: (spec, say, started) => Effect.andThen(original.stop(spec.name, undefined), original.run(spec, say, started))
    }))
  },
  {
    what: "a ContainerRuntime that replaces what bears the name",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-4 a name in use", "ContainerRuntime-4 of several"],
    layer: altered(ContainerRuntime, (original) => ({
      start: (spec) => Effect.andThen(original.stop(spec.name, undefined), original.start(spec))
    }))
  },
  {
    what: "a ContainerRuntime that undoes a start that was refused",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-4 a name in use", "ContainerRuntime-4 of several"],
    layer: altered(ContainerRuntime, (original) => ({
      start: (spec) => Effect.onError(original.start(spec), () => Effect.ignore(original.stop(spec.name, undefined)))
    }))
  },
  {
    what: "a ContainerRuntime that looks for the name, waits, and starts",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-4 of several"],
    layer: altered(ContainerRuntime, (original, { workloads }) => ({
      start: Effect.fnUntraced(function* (spec) {
        if (workloads.has(spec.name)) return yield* failed("name_conflict")
        yield* Effect.yieldNow
        workloads.delete(spec.name)
        return yield* original.start(spec)
      })
    }))
  },
  {
    what: "a ContainerRuntime that asks only once what is its own",
    contract: "ContainerRuntime",
    violates: ["INV-8", "INV-7", "H22"],
    layer: altered(ContainerRuntime, (original) => {
      let first: ReadonlyArray<WorkloadName> | undefined
      return { owned: Effect.map(original.owned, (names) => (first ??= names)) }
    })
  },
  {
    what: "a ContainerRuntime that fails to stop what is not there",
    contract: "ContainerRuntime",
    violates: ["B17", "H14"],
    layer: altered(ContainerRuntime, (original, { workloads }) => ({
      stop: (name, id) => (workloads.has(name) ? original.stop(name, id) : failed("engine_unavailable"))
    }))
  },
  {
    what: "a ContainerRuntime that stops only what it knows the id of",
    contract: "ContainerRuntime",
    violates: ["H29"],
    layer: altered(ContainerRuntime, (original) => ({
      stop: (name, id) => (id === undefined ? Effect.void : original.stop(name, id))
    }))
  },
  {
    what: "a ContainerRuntime that leaves a name behind when it cannot start",
    contract: "ContainerRuntime",
    violates: ["INV-9 an image that is not"],
    layer: altered(ContainerRuntime, (original) => {
      const left = new Set<WorkloadName>()
      return {
        start: (spec) => Effect.tapError(original.start(spec), () => Effect.sync(() => left.add(spec.name))),
        owned: Effect.map(original.owned, (names) => [...names, ...left])
      }
    })
  },
  {
    what: "a ContainerRuntime that leaves what is interrupted after it was started",
    contract: "ContainerRuntime",
    violates: ["INV-7"],
    layer: altered(ContainerRuntime, (original) => ({
      start: (spec) => Effect.tap(original.start(spec), () => Effect.repeat(Effect.yieldNow, { times: 3 }))
    }))
  },
  {
    what: "a ContainerRuntime that gives every Workload the same address",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-5"],
    layer: altered(ContainerRuntime, (original) => ({
      start: (spec) => Effect.map(original.start(spec), (workload) => ({ ...workload, address }))
    }))
  },
  {
    what: "a ContainerRuntime that looks at whatever bears the name",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-6"],
    layer: altered(ContainerRuntime, (_, { workloads }) => ({
      inspect: ({ name }) =>
        Effect.sync(() => {
          const found = workloads.get(name)
          return found === undefined ? { state: "gone" } : { state: "running", image: found.image }
        })
    }))
  },
  {
    what: "a ContainerRuntime that stops whatever bears the name",
    contract: "ContainerRuntime",
    violates: ["INV-2"],
    layer: altered(ContainerRuntime, (original) => ({ stop: (name) => original.stop(name, undefined) }))
  },
  {
    what: "a ContainerRuntime that keeps what a command ran in",
    contract: "ContainerRuntime",
    violates: ["ContainerRuntime-7", "B13", "X1 what a command says", "H22"],
    layer: altered(ContainerRuntime, (original) => {
      const left = new Set<WorkloadName>()
      return {
        run: (spec, say, started) =>
          Effect.tap(original.run(spec, say, started), () => Effect.sync(() => left.add(spec.name))),
        owned: Effect.map(original.owned, (names) => [...names, ...left])
      }
    })
  },
  {
    what: "a ContainerRuntime that runs a command under a name of its own",
    contract: "ContainerRuntime",
    violates: ["H22", "K6"],
    layer: altered(ContainerRuntime, (original) => ({
      run: (spec, say, started) =>
        original.run({ ...spec, name: WorkloadName.make(`${spec.name}-command`) }, say, (workload) =>
          started({ ...workload, name: spec.name })
        )
    }))
  },
  {
    what: "a ContainerRuntime that answers that a command succeeded because it could be started",
    contract: "ContainerRuntime",
    violates: ["B13", "H22"],
    layer: altered(ContainerRuntime, (original) => ({
      run: (spec, say, started) =>
        Effect.as(original.run(spec, say, started), { exitCode: 0, reason: "exited with code 0" })
    }))
  },
  {
    what: "a ContainerRuntime that answers the end of a command before it has read what it said",
    contract: "ContainerRuntime",
    violates: ["X1 what a command says", "X10 a command is told"],
    layer: altered(ContainerRuntime, (original) => ({
      run: (spec, say, started) =>
        original.run(
          spec,
          (entry) => Effect.asVoid(Effect.forkDetach(Effect.andThen(Effect.yieldNow, say(entry)))),
          started
        )
    }))
  },
  {
    what: "a ContainerRuntime that takes a missing image for the end of the command",
    contract: "ContainerRuntime",
    violates: ["K6", "INV-9 a command"],
    layer: altered(ContainerRuntime, (original) => ({
      run: (spec, say, started) =>
        Effect.catchIf(
          original.run(spec, say, started),
          (error) => error instanceof RuntimeError,
          ({ detail }) => Effect.succeed({ exitCode: 125, reason: detail })
        )
    }))
  },
  {
    what: "a ContainerRuntime that fails to read what a Workload said that is gone",
    contract: "ContainerRuntime",
    violates: ["X1 what a Workload says"],
    layer: altered(ContainerRuntime, (_, { workloads }) => ({
      logs: ({ name }) =>
        Stream.fromEffect(
          Effect.yieldNow.pipe(
            Effect.repeat({ while: () => workloads.has(name) }),
            Effect.andThen(failed("engine_unavailable"))
          )
        )
    }))
  },
  {
    what: "a ContainerRuntime that does not tell a command for which Item it runs",
    contract: "ContainerRuntime",
    violates: ["X10 a command is told"],
    layer: altered(ContainerRuntime, (original) => ({
      run: (spec, say, started) => original.run({ ...spec, item: undefined }, say, started)
    }))
  }
]
