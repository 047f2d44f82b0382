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
 * Tries cases until so many have come to what they are about, at a share of 1 all of them. Answers how many were tried, and
 * how many came to it.
 */
export const tryUntil = Effect.fnUntraced(function* <A, E, R>(
  count: number,
  cases: ReadonlyArray<A>,
  comesToIt: (one: A) => Effect.Effect<boolean, E, R>
) {
  const wanted = Math.max(count, Math.ceil(cases.length * share))
  let [attempts, hits] = [0, 0]
  for (const one of shuffled(cases)) {
    if (hits === wanted) break
    attempts++
    hits += Number(yield* comesToIt(one))
  }
  return { attempts, hits }
})

/** What a soak is about. */
export const soak = {
  seed,
  /** So many, and `whole` of them at a share of 1. */
  many: (count: number, whole: number): number => Math.round(count + (whole - count) * share),
  /** So many rounds of a race, and a thousand in a soak. */
  rounds: (count: number): number => (process.env["SOAK"] === "1" ? 1_000 : count),
  /** Adds to what the report of the soak counts; does nothing in another run. */
  count: (proof: string, counts: Readonly<Record<string, number>>): void => {
    if (reportFile !== undefined) appendFileSync(reportFile, `${JSON.stringify({ proof, counts })}\n`)
  }
} as const
