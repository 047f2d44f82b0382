// An adapter that breaks its port's contract on purpose, and the laws that must notice.

import { Context, Effect, Layer } from "effect"
import type { Contract } from "../../src/testing/Contract.ts"
import { layerMemory, type MemoryPorts } from "./layerMemory.ts"

/** What is broken, and the ids of the laws that it violates, in the order of the contract. */
export interface Broken {
  readonly what: string
  readonly contract: Contract<MemoryPorts>
  readonly violates: ReadonlyArray<string>
  readonly layer: Layer.Layer<MemoryPorts>
}

/** All memory layers, with one port altered by somebody who knows it as it should be. */
export const altered = <Id extends MemoryPorts, Shape>(
  port: Context.Key<Id, Shape>,
  alter: (original: Shape) => Effect.Effect<Shape, never, MemoryPorts>
): Layer.Layer<MemoryPorts> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const ports = yield* Layer.build(layerMemory)
      const broken = yield* Effect.provideContext(alter(Context.get(ports, port)), ports)
      return Context.add(ports, port, broken)
    })
  )
