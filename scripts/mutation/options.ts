// What the command line asks for, and which mutations that is.

import { createHash } from "node:crypto"
import { parseArgs } from "node:util"
import type { Mutation } from "./Guard.ts"

/**
 * What to do. `only` is a part of a file name, a guard or a description, `rest` leaves out what was tried before, and `sample`
 * is how many to pick at random.
 */
export interface Options {
  readonly only: string | undefined
  readonly rest: boolean
  readonly list: boolean
  readonly sample: number | undefined
  readonly seed: number
}

/** Reads the arguments behind the name of the script. */
export const optionsOf = (args: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      rest: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      sample: { type: "string" },
      seed: { type: "string", default: "1" }
    }
  })
  return {
    only: values.only,
    rest: values.rest,
    list: values.list,
    sample: values.sample === undefined ? undefined : Number(values.sample),
    seed: Number(values.seed)
  }
}

/** Picks what the options ask for, in the order of the list. The same seed picks the same sample. */
export const chosen = (
  mutations: ReadonlyArray<Mutation>,
  { only, rest, sample, seed }: Options,
  wasTried: (mutation: Mutation) => boolean
): ReadonlyArray<Mutation> => {
  const isMeant = ({ file, guards, says }: Mutation): boolean =>
    only === undefined || [file, says, ...guards].join("\n").includes(only)
  const matching = mutations.filter((mutation) => isMeant(mutation) && !(rest && wasTried(mutation)))
  if (sample === undefined) return matching
  const places = new Map(matching.map((mutation, index) => [mutation, lot(seed, index)]))
  const drawn = [...places].sort(([, a], [, b]) => a.localeCompare(b)).slice(0, sample)
  const picked = new Set(drawn.map(([mutation]) => mutation))
  return matching.filter((mutation) => picked.has(mutation))
}

const lot = (seed: number, index: number): string => createHash("sha256").update(`${seed} ${index}`).digest("hex")
