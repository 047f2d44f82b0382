// Says of the guards of one file what is said of them: most share the file and the tests that notice.

import type { LeftOut, Listed, Mutation } from "../Guard.ts"

/** What is said of the guards of a file; a mutation may name tests of its own. */
export interface Listing {
  readonly mutations?: ReadonlyArray<Omit<Mutation, "file" | "tests"> & { readonly tests?: ReadonlyArray<string> }>
  readonly leftOut?: ReadonlyArray<Omit<LeftOut, "file">>
  /** The names of the tests, for all of its mutations. */
  readonly named?: string
}

/** Lists the guards of a file, whose mutations these tests notice. */
export const listing = (
  file: string,
  tests: ReadonlyArray<string>,
  { leftOut = [], mutations = [], named }: Listing
): Listed => ({
  mutations: mutations.map((mutation) => ({ tests, ...(named === undefined ? {} : { named }), ...mutation, file })),
  leftOut: leftOut.map((entry) => ({ ...entry, file }))
})

/** Names the laws of these ports on PostgreSQL, but for the one that fills a queue, and all tests that are no laws. */
export const lawsOf = (...ports: ReadonlyArray<string>): string =>
  `^(?!PostgreSQL >)|^PostgreSQL > (${ports.join("|")}) (?!X6 a Tenant)`

/** Lists one after the other. */
export const joined = (lists: ReadonlyArray<Listed>): Listed => ({
  mutations: lists.flatMap(({ mutations }) => mutations),
  leftOut: lists.flatMap(({ leftOut }) => leftOut)
})
