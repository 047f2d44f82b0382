// How long and how often `npm run bench:env` measures, and what of it.

import { parseArgs } from "node:util"
import { chosen, positive } from "../common/options.ts"

/** The names of the parts, as `--only` takes them. */
const parts = ["hot", "spread", "idle", "textbook", "http"] as const

/** What the bench was asked for. `pool` is the size of each pool of connections; `walMegabytes` are written before it begins. */
export interface Options {
  readonly seconds: number
  readonly warmUp: number
  readonly rounds: number
  readonly pool: number
  readonly writers: number
  readonly walMegabytes: number
  /** An empty database of a server that runs already, in place of the embedded one. */
  readonly url: string | undefined
  readonly only: ReadonlyArray<(typeof parts)[number]>
}

const usage = `usage: npm run bench:env -- [--seconds 3] [--warmup 2] [--rounds 5] [--pool 64] [--wal 1024] [--url postgres://…] [--only ${parts.join(",")}]`

const number = positive(usage)

/** Reads the options of the command line. Throws with what is wrong, and with the usage. */
export const readOptions = (args: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "3" },
      warmup: { type: "string", default: "2" },
      rounds: { type: "string", default: "5" },
      pool: { type: "string", default: "64" },
      wal: { type: "string", default: "1024" },
      url: { type: "string" },
      only: { type: "string", default: parts.join(",") }
    }
  })
  return {
    seconds: number("seconds", values.seconds),
    warmUp: number("warmup", values.warmup),
    rounds: Math.ceil(number("rounds", values.rounds)),
    pool: Math.ceil(number("pool", values.pool)),
    writers: 64,
    url: values.url,
    walMegabytes: Math.ceil(number("wal", values.wal)),
    only: chosen(parts, values.only, usage)
  }
}
