// What the scan finds, and what is said about each: how it is broken to see whether a test notices, or why it is not.

import type { Capability } from "../../test/harness/capability.ts"

/** A place in the sources that keeps an invariant. */
export interface Guard {
  /** From the root of the repository. */
  readonly file: string
  /** Where it stands and what it says; unique in its file, and the same when lines move. */
  readonly id: string
  readonly kind: string
  /** Offsets in the file. */
  readonly start: number
  readonly end: number
}

/** One edit that takes guards away or weakens them, in a way that still compiles and still runs. */
export interface Mutation {
  readonly file: string
  readonly guards: ReadonlyArray<string>
  /** What is left of the guard, in words. */
  readonly says: string
  /** A text that stands once in the file. */
  readonly find: string
  readonly replace: string
  /** The files of the tests that notice. */
  readonly tests: ReadonlyArray<string>
  /** A pattern of the names of those tests, where most of the others take long. */
  readonly named?: string
  /** What the machine has to offer for these tests to run. */
  readonly needs?: Capability
}

/** Why guards have no mutation of their own. */
export interface LeftOut {
  readonly file: string
  readonly guards: ReadonlyArray<string>
  readonly reason: string
}

/** What is said about the guards of some files. */
export interface Listed {
  readonly mutations: ReadonlyArray<Mutation>
  readonly leftOut: ReadonlyArray<LeftOut>
}
