// What the bench tells its worker processes and what they answer. Plain data: it goes from process to process.

import type { Plan } from "./statements.ts"

/** What all workers need: how many write at once, to which Apps in turn, and over how many connections. */
interface Common {
  readonly writers: number
  readonly apps: ReadonlyArray<string>
  readonly connections: number
  readonly keys: number
  /** The number of this worker's first writer, so that no two of several workers have the same. */
  readonly firstWriter: number
}

/** What a worker does until it is disconnected: our merges, the statements alone, the textbook's transaction, or HTTP. */
export type Orders =
  | (Common & { readonly kind: "merge"; readonly url: string; readonly secretKey: Uint8Array })
  | (Common & { readonly kind: "driver"; readonly url: string; readonly plans: ReadonlyArray<Plan> })
  | (Common & { readonly kind: "textbook"; readonly url: string })
  | (Common & { readonly kind: "http"; readonly url: string; readonly token: string })

/** What a worker is asked once it is ready. */
export type Request = { readonly type: "run"; readonly seconds: number } | { readonly type: "acknowledged" }

/** One run. Latencies are milliseconds, in no order; `cpuSeconds` is what the process itself used. */
export interface Ran {
  readonly latencies: Float64Array
  readonly seconds: number
  readonly cpuSeconds: number
}

/** What was acknowledged for an App in all runs: how many changes, the sum of their Revisions, the last value of each key. */
export interface Acknowledged {
  readonly app: string
  readonly count: number
  readonly revisions: number
  readonly last: ReadonlyMap<string, { readonly revision: number; readonly value: string }>
}

/** All that was acknowledged, and what failed, by its kind. */
export interface Report {
  readonly acknowledged: ReadonlyArray<Acknowledged>
  readonly failures: ReadonlyMap<string, number>
}

/** The name of a key. */
export const keyAt = (index: number): string => `KEY_${String(index).padStart(3, "0")}`

/** A value of 40 bytes that no other change has. */
export const valueAt = (writer: number, count: number): string => `${writer}-${count}-`.padEnd(40, "x")
