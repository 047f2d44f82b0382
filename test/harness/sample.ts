// How much of a proof a run does. `npm test` does a little, the same on every machine; `npm run test:soak` sets a seed, which
// chooses other cases, and a share: 1 is all of the cases, and more is more of what has no end.

import { Effect, Random } from "effect"
import { appendFileSync } from "node:fs"

const seed = process.env["LOCKKEEPER_SOAK_SEED"] ?? "1"
const share = Number(process.env["LOCKKEEPER_SOAK_SHARE"] ?? 0)
const reportFile = process.env["LOCKKEEPER_SOAK_REPORT"]

/** All of the cases, in an order that follows from the seed. */
export const shuffled = <A>(cases: Iterable<A>): ReadonlyArray<A> =>
  Effect.runSync(Random.withSeed(Random.shuffle(cases), seed))

/**
 * Tries cases in their order until so many have come to what they are about. Answers how many were tried, and how many came
 * to it.
 */
export const tryUntil = Effect.fnUntraced(function* <A, E, R>(
  wanted: number,
  cases: ReadonlyArray<A>,
  comesToIt: (one: A, before: number) => Effect.Effect<boolean, E, R>
) {
  let [attempts, hits] = [0, 0]
  for (const one of cases) {
    if (hits === wanted) break
    hits += Number(yield* comesToIt(one, attempts++))
  }
  return { attempts, hits }
})

/** What a soak is about. */
export const soak = {
  seed,
  /** So many, and `whole` of them at a share of 1. */
  many: (count: number, whole: number): number => Math.round(count + (whole - count) * share),
  /** So many of the cases, and at a share of 1 all of them. */
  of: (cases: ReadonlyArray<unknown>, count: number): number => Math.max(count, Math.ceil(cases.length * share)),
  /** So many rounds of a race, and a thousand in a soak. */
  rounds: (count: number): number => (process.env["SOAK"] === "1" ? 1_000 : count),
  /** Adds to what the report of the soak counts; does nothing in another run. */
  count: (proof: string, counts: Readonly<Record<string, number>>): void => {
    if (reportFile !== undefined) appendFileSync(reportFile, `${JSON.stringify({ proof, counts })}\n`)
  }
} as const
