// The guards of Providers: how one is made, in memory, on Docker and as processes.

import { joined, listing } from "./listing.ts"

const docker = ["packages/adapter-docker/test/provider.test.ts"]
const needs = "docker"
const processes = ["packages/adapter-process/test/provider.test.ts"]
const providers = ["packages/core/test/Providers.test.ts"]

/** What is listed of them. */
export const providerGuards = joined([
  listing("packages/core/src/port/sharedUntilMade.ts", providers, {
    mutations: [
      {
        guards: ["attempted: Effect.uninterruptibleMask"],
        says: "an attempt that was given up keeps what it had",
        find: "Effect.uninterruptibleMask((restore) =>\n    Effect.gen(function* () {\n      const own",
        replace:
          "Effect.suspend((restore = <A2, E2, R2>(effect: Effect.Effect<A2, E2, R2>) => effect) =>\n    Effect.gen(function* () {\n      const own"
      },
      {
        guards: ["get: Effect.ensuring"],
        says: "an attempt that everybody gave up goes on",
        find: "Effect.ensuring(restore(Fiber.await(joined.fiber)), leave(joined))",
        replace: "restore(Fiber.await(joined.fiber))"
      }
    ],
    leftOut: [
      {
        guards: ["get: Effect.uninterruptibleMask"],
        reason: "an interruption between joining and waiting has no place to happen: nothing there yields"
      }
    ]
  }),
  listing("packages/core/src/port/memoryProvider.ts", ["packages/core/test/contracts.test.ts"], {
    named: "Providers",
    mutations: [
      {
        guards: ["performed: Effect.acquireUseRelease"],
        says: "a step that was interrupted goes on",
        find: "() => Effect.sync(() => place.marks.delete(argument))",
        replace: "() => Effect.void"
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/nodes.ts", docker, {
    mutations: [
      {
        guards: ["begin: Effect.onError"],
        says: "a node that could not be started stays",
        find: "undone(Containers.remove(docker, id))",
        replace: "Effect.void",
        needs
      },
      {
        guards: ["begin: Effect.uninterruptible"],
        says: "the engine makes a node that was given up, after it was removed",
        find: "}, Effect.uninterruptible)",
        replace: "})",
        needs
      },
      {
        guards: ["perform: Effect.acquireUseRelease"],
        says: "a step that was interrupted goes on",
        find: "Effect.catch(Containers.remove(docker, id), (error) =>",
        replace: "Effect.catch(Effect.asVoid(Containers.inspect(docker, id)), (error) =>",
        needs
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/runNetworks.ts", docker, {
    leftOut: [
      {
        guards: ["ensure: Effect.uninterruptible"],
        reason:
          "a network that is let go of while it is made bears the label of its Run: it is removed with what is owned and nobody's; waiting saves that round"
      }
    ]
  }),
  listing("packages/adapter-process/src/ProcessProvider.ts", processes, {
    mutations: [
      {
        guards: ["perform: Effect.acquireUseRelease"],
        says: "a step that was interrupted goes on",
        find: "(process) => Effect.tap(process.end(grace), () => Effect.sync(() => place.steps.delete(process)))",
        replace: "(process) => Effect.sync(() => place.steps.delete(process))"
      },
      {
        guards: ["building: Effect.ensuring"],
        says: "a build that goes on after its Run was removed leaves a directory",
        find: "places.get(run) === place ? Effect.void : removeDirectory(place.directory)",
        replace: "Effect.void"
      },
      {
        guards: ["make: Effect.addFinalizer"],
        says: "nodes outlive the Provider",
        find: "Effect.forEach([...places.keys()], (run) => Effect.ignore(remove(run)), {",
        replace: "Effect.forEach([...places.keys()].slice(1_000), (run) => Effect.ignore(remove(run)), {"
      }
    ],
    leftOut: [
      {
        guards: ["prepare: Effect.uninterruptible", "start: Effect.uninterruptible"],
        reason:
          "between what was made and its place among what is removed nothing waits that a test could hold; without it an interruption there would leave a process or a directory until the server ends"
      }
    ]
  })
])
