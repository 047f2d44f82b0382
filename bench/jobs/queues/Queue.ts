// What all queues are measured with: groups, a cap for each, callers that ask for Jobs one by one while workers carry them out,
// and work that sees how many of its group it runs beside.

import { Effect } from "effect"
import type { Sample } from "../../env/compare.ts"

/** How many groups there are, callers that ask at once, workers, and connections of each queue. Caps keep most workers waiting. */
export const groups = 4
const callers = 16
export const workers = 16
export const connections = 16

/** How long the work of a Job takes at least. */
export const workMillis = 5

/** How long a worker waits that has found nothing. */
export const idleMillis = 2

/** One run of a queue: what its Jobs do, and whether all of them have ended. */
export interface Run {
  readonly begin: (group: number) => void
  readonly end: (group: number) => void
  readonly isDone: () => boolean
  /** Resolves when all have ended. */
  readonly done: Promise<void>
}

/** A queue of somebody's: `ask` puts a Job into it, and `work` has all of a run carried out. */
export interface Queue<E, R> {
  readonly ask: (group: number) => Effect.Effect<void, E, R>
  readonly work: (run: Run) => Effect.Effect<void, E, R>
}

const runOf = (jobs: number, cap: number) => {
  const running = Array.from({ length: groups }, () => 0)
  const seen = { ended: 0, most: 0, above: 0 }
  let tell = () => {}
  const done = new Promise<void>((resolve) => void (tell = resolve))
  const run: Run = {
    begin: (group) => {
      const now = (running[group] ?? 0) + 1
      running[group] = now
      seen.most = Math.max(seen.most, now)
      if (now > cap) seen.above += 1
    },
    end: (group) => {
      running[group] = (running[group] ?? 0) - 1
      seen.ended += 1
      if (seen.ended === jobs) tell()
    },
    isDone: () => seen.ended >= jobs,
    done
  }
  return { run, seen }
}

/** Has so many Jobs asked for and carried out, and answers how many a second from the first call to the last end. */
export const passedThrough = Effect.fnUntraced(function* <E, R>(queue: Queue<E, R>, jobs: number, cap: number) {
  const { run, seen } = runOf(jobs, cap)
  const begun = performance.now()
  const asking = Effect.forEach(Array.from({ length: jobs }).keys(), (job) => queue.ask(job % groups), {
    concurrency: callers,
    discard: true
  })
  yield* Effect.all([asking, queue.work(run)], { concurrency: 2, discard: true })
  const sample: Sample = {
    perSecond: jobs / ((performance.now() - begun) / 1_000),
    latencies: new Float64Array(),
    facts: { aboveCap: seen.above, mostAtOnce: seen.most, ended: seen.ended }
  }
  return sample
})
