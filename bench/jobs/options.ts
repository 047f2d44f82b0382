// What `npm run bench:jobs` measures, and how long and how often.

import { parseArgs } from "node:util"
import { chosen, positive } from "../common/options.ts"

const parts = ["admission", "cap", "queues", "backlog", "checkpoints"] as const

/** What the bench was asked for. `finished` and `queued` are the Jobs of the large database, `jobs` those of one run through a queue. */
export interface Options {
  readonly seconds: number
  readonly warmUp: number
  readonly rounds: number
  readonly finished: number
  readonly queued: number
  readonly jobs: number
  readonly walMegabytes: number
  /** An empty database of a server that runs already, in place of the embedded one. */
  readonly url: string | undefined
  readonly only: ReadonlyArray<(typeof parts)[number]>
}

const usage = `usage: npm run bench:jobs -- [--quick] [--seconds 3] [--warmup 2] [--rounds 5] [--jobs 1000] [--finished 1000000] [--queued 100000] [--wal 1024] [--url postgres://…] [--only ${parts.join(",")}]`

const number = positive(usage)

const careful = {
  seconds: "3",
  warmup: "2",
  rounds: "5",
  jobs: "1000",
  finished: "1000000",
  queued: "100000",
  wal: "1024"
}

/** Shows that everything runs; what it measures says little. */
const quick = {
  ...careful,
  seconds: "1",
  warmup: "1",
  rounds: "1",
  jobs: "200",
  finished: "20000",
  queued: "5000",
  wal: "64"
}

/** Reads the options of the command line. Throws with what is wrong, and with the usage. */
export const readOptions = (args: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      warmup: { type: "string" },
      rounds: { type: "string" },
      jobs: { type: "string" },
      finished: { type: "string" },
      queued: { type: "string" },
      wal: { type: "string" },
      url: { type: "string" },
      only: { type: "string", default: parts.join(",") }
    }
  })
  const usual = values.quick ? quick : careful
  const given = (name: keyof typeof careful): number => number(name, values[name] ?? usual[name])
  return {
    seconds: given("seconds"),
    warmUp: given("warmup"),
    rounds: Math.ceil(given("rounds")),
    jobs: Math.ceil(given("jobs")),
    finished: Math.ceil(given("finished")),
    queued: Math.ceil(given("queued")),
    walMegabytes: Math.ceil(given("wal")),
    url: values.url,
    only: chosen(parts, values.only, usage)
  }
}
