// The guards of the adapter for Docker. Most need an engine to be noticed.

import { joined, listing } from "./listing.ts"

const testOf = (name: string): string => `packages/adapter-docker/test/${name}.test.ts`
const workloads = ["workloads", "commands", "engineFaults", "contracts"].map(testOf)
const needs = "docker"

/** What is listed of them. */
export const docker = joined([
  listing("packages/adapter-docker/src/DockerContainerRuntime.ts", workloads, {
    mutations: [
      {
        guards: ["whole: Effect.uninterruptibleMask"],
        says: "what is interrupted while it is made is not whole",
        find: "Effect.uninterruptibleMask((restore) =>\n        Effect.gen",
        replace:
          "Effect.suspend((restore = <A2, E2, R2>(effect: Effect.Effect<A2, E2, R2>) => effect) =>\n        Effect.gen",
        needs
      },
      {
        guards: ["made: Effect.onInterrupt"],
        says: "what was interrupted is not taken back",
        find: "Effect.onInterrupt(restore(Effect.yieldNow), () => undo(spec))",
        replace: "restore(Effect.yieldNow)",
        needs
      },
      {
        guards: ["whole: Effect.ensuring"],
        says: "a name that was started once counts as being started for ever",
        find: "Effect.ensuring(Effect.andThen(restore(nameIsFree(context, spec)), made), isOver)",
        replace:
          "Effect.tap(Effect.andThen(restore(nameIsFree(context, spec)), made), Effect.asVoid(Effect.succeed(isOver)))",
        needs
      },
      {
        guards: ["run: Effect.acquireUseRelease"],
        says: "the container of a command stays",
        find: "() => undo(spec)\n      )\n    })",
        replace: "() => Effect.void\n      )\n    })",
        needs
      }
    ],
    leftOut: [
      {
        guards: ["made: Effect.onError"],
        reason:
          "startContainer and startWorkload take back their own container; what this one takes back beside it is an unused network, which the sweep in the background removes too"
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/buildContext.ts", [testOf("internal")], {
    mutations: [
      {
        guards: ["buildContext: Effect.acquireRelease"],
        says: "a context that nobody reads is kept open",
        find: "(tar) => Effect.sync(() => tar.destroy())",
        replace: "() => Effect.void"
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/call.ts", [testOf("internal")], {
    mutations: [
      {
        guards: ["open: Effect.acquireRelease"],
        says: "a request that nobody reads goes on",
        find: "(controller) => Effect.sync(() => controller.abort())",
        replace: "() => Effect.void"
      },
      {
        guards: ["open: Effect.addFinalizer"],
        says: "an answer that nobody reads is kept open",
        find: "yield* Effect.addFinalizer(() => Effect.sync(() => stream.destroy()))",
        replace: "yield* Effect.addFinalizer(() => Effect.void)"
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/helpers.ts", [testOf("fetch")], {
    mutations: [
      {
        guards: ["startHelper: Effect.acquireRelease"],
        says: "the volume of a helper stays",
        find: "    () => noVolume\n  )",
        replace: "    () => Effect.void\n  )",
        needs
      },
      {
        guards: ["startHelper: Effect.acquireRelease #2"],
        says: "a helper stays",
        find: "    () => noContainer\n  )",
        replace: "    () => Effect.void\n  )",
        needs
      },
      {
        guards: ["startHelper: Effect.onError"],
        says: "a volume whose answer was lost stays",
        find: "Effect.onError(Volumes.create(docker, name, labels), () => noVolume)",
        replace: "Volumes.create(docker, name, labels)",
        needs
      },
      {
        guards: ["startHelper: Effect.onError #2"],
        says: "a helper whose answer was lost stays",
        find: "Effect.onError(Containers.create(docker, options), () => noContainer)",
        replace: "Containers.create(docker, options)",
        needs
      }
    ],
    leftOut: [
      {
        guards: ["startHelper: Effect.uninterruptible"],
        reason:
          "what follows removes the container by force, started or not; waiting keeps the engine from doing both at the same time"
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/lastWords.ts", workloads, {
    mutations: [
      {
        guards: ["makeLastWords: Effect.acquireRelease"],
        says: "who has read to the end is waited for",
        find: "(done) => leave(id, done)),",
        replace: "() => Effect.void),",
        needs
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/trees.ts", [testOf("fetch")], {
    mutations: [
      {
        guards: ["ownDirectory: Effect.acquireRelease"],
        says: "a tree stays when its Scope closes",
        find: "    }),\n    removed\n  )",
        replace: "    }),\n    () => Effect.void\n  )",
        needs
      }
    ]
  }),
  listing("packages/adapter-docker/src/internal/workloads.ts", [], {
    leftOut: [
      {
        guards: ["attempt: Effect.onError", "startWorkload: Effect.onError"],
        reason:
          "leaves less to others: what a failed try left under the name `created` replaces in the next one, and `whole` removes after the last"
      }
    ]
  })
])
