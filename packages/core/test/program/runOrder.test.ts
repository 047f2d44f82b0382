// In which order the nodes of Runs start, whatever waits for what and however long each takes.
import { describe, expect, it } from "@effect/vitest"
import { Clock, Context, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import type { NodeName } from "../../src/domain/Topology.ts"
import { Providers } from "../../src/port/Providers.ts"
import { runTopology } from "../../src/program/runTopology.ts"
import { waitingOf } from "../../src/domain/topologyRefusal.ts"
import { topologies } from "../support/topologies.ts"
import { asked, twoNodes } from "./runWorld.ts"
import { startReplica, world } from "./scripted.ts"

describe("nodes", () => {
  it("B32 H27: start at the very moment at which all that they wait for are ready", () =>
    fc.assert(
      fc.asyncProperty(topologies, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (declared, seconds) => {
        const program = Effect.gen(function* () {
          const replica = yield* startReplica("one")
          const [begun, done] = [new Map<NodeName, number>(), new Map<NodeName, number>()]
          const providers = Context.get(replica.ports, Providers)
          const slow: typeof providers = {
            ...providers,
            of: (target) =>
              Effect.map(providers.of(target), (provider) => ({
                ...provider,
                start: (spec, say) =>
                  Effect.gen(function* () {
                    begun.set(spec.node.name, yield* Clock.currentTimeMillis)
                    yield* Effect.sleep(seconds.next().value * 1_000)
                    const place = yield* provider.start(spec, say)
                    done.set(spec.node.name, yield* Clock.currentTimeMillis)
                    return place
                  })
              }))
          }
          const ports = Context.add(replica.ports, Providers, slow)
          const request = yield* asked(twoNodes, { topology: { ...declared, steps: [] } })
          const fiber = yield* Effect.forkDetach(Effect.provideContext(runTopology(request), ports))
          while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
          expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded" })
          for (const [name, waited] of waitingOf(declared.nodes)) {
            const ready = Math.max(0, ...waited.map((other) => done.get(other) ?? Number.NaN))
            expect(begun.get(name), name).toBe(ready === 0 ? 0 : ready)
          }
        })
        return Effect.runPromise(Effect.scoped(Effect.provide(program, [world, TestClock.layer()])))
      }),
      { numRuns: 40 }
    ))
})
