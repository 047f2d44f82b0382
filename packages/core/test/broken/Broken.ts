// An adapter that breaks its port's contract on purpose, the laws that must notice, and which laws nobody breaks.

import { Context, Effect, Layer } from "effect"
import { MemoryState, type MemoryTables } from "../../src/port/MemoryState.ts"
import { type ContractName, contracts } from "../support/contracts.ts"
import { layerMemory, type MemoryPorts } from "../support/layerMemory.ts"

/**
 * What is broken, and the laws that it violates. A law is named by its id and as many of the first words of its sentence as
 * tell it from all others of the contract.
 */
export interface Broken {
  readonly what: string
  readonly contract: ContractName
  readonly violates: readonly [string, ...ReadonlyArray<string>]
  readonly layer: Layer.Layer<MemoryPorts>
}

/** All memory layers, with methods of one port altered by somebody who knows them as they should be, and the tables. */
export const altered = <Id extends MemoryPorts, Shape extends object>(
  port: Context.Key<Id, Shape>,
  alter: (original: Shape, state: MemoryTables) => Partial<Shape>
): Layer.Layer<MemoryPorts> =>
  Layer.effectContext(
    Effect.map(Layer.build(layerMemory), (ports) => {
      const original = Context.get(ports, port)
      return Context.add(ports, port, { ...original, ...alter(original, Context.get(ports, MemoryState)) })
    })
  )

/** A law by its full name. */
export const nameOf = ({ id, law }: { readonly id: string; readonly law: string }): string => `${id} ${law}`

const isBegunBy = (name: string, beginning: string): boolean =>
  name.startsWith(beginning) && !/\w/.test(name.charAt(beginning.length))

type Claimed = Pick<Broken, "contract" | "violates">

/** The full names of the laws that it violates, in the order of the contract; throws for a name that is not one law's. */
export const expected = ({ contract, violates }: Claimed): ReadonlyArray<string> => {
  const names = contracts[contract].map(nameOf)
  const found = violates.map((beginning) => {
    const [name, ...others] = names.filter((name) => isBegunBy(name, beginning))
    if (name === undefined || others.length > 0) {
      throw new Error(`"${beginning}" names ${name === undefined ? "no law" : "several laws"} of ${contract}`)
    }
    return name
  })
  return names.filter((name) => found.includes(name))
}

/** The laws that none of these adapters violates. */
export const unguarded = (laws: typeof contracts, all: ReadonlyArray<Claimed>): ReadonlyArray<string> => {
  const violated = new Set(all.flatMap((broken) => expected(broken).map((name) => `${broken.contract}: ${name}`)))
  const names = Object.entries(laws).flatMap(([contract, laws]) => laws.map((law) => `${contract}: ${nameOf(law)}`))
  return names.filter((name) => !violated.has(name))
}

/** What is broken in so much that more than half of its contract notices: it says little of any one law. */
export const unspecific = (all: ReadonlyArray<Claimed & Pick<Broken, "what">>): ReadonlyArray<string> =>
  all.filter((broken) => expected(broken).length * 2 > contracts[broken.contract].length).map(({ what }) => what)
