// What `npm run bench:subnets` measures, and how long and how often.

import { parseArgs } from "node:util"
import { chosen, positive } from "../common/options.ts"

const parts = ["pairs", "full"] as const

/** What the bench was asked for. `held` and `few` are the Subnets that the two pools of the part `full` have given away. */
export interface Options {
  readonly seconds: number
  readonly warmUp: number
  readonly rounds: number
  readonly held: number
  readonly few: number
  readonly walMegabytes: number
  /** An empty database of a server that runs already, in place of the embedded one. */
  readonly url: string | undefined
  readonly only: ReadonlyArray<(typeof parts)[number]>
}

const usage = `usage: npm run bench:subnets -- [--seconds 3] [--warmup 2] [--rounds 5] [--held 60000] [--few 100] [--wal 512] [--url postgres://…] [--only ${parts.join(",")}]`

const number = positive(usage)

/** Reads the options of the command line. Throws with what is wrong, and with the usage. */
export const readOptions = (args: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "3" },
      warmup: { type: "string", default: "2" },
      rounds: { type: "string", default: "5" },
      held: { type: "string", default: "60000" },
      few: { type: "string", default: "100" },
      wal: { type: "string", default: "512" },
      url: { type: "string" },
      only: { type: "string", default: parts.join(",") }
    }
  })
  return {
    seconds: number("seconds", values.seconds),
    warmUp: number("warmup", values.warmup),
    rounds: Math.ceil(number("rounds", values.rounds)),
    held: Math.ceil(number("held", values.held)),
    few: Math.ceil(number("few", values.few)),
    walMegabytes: Math.ceil(number("wal", values.wal)),
    url: values.url,
    only: chosen(parts, values.only, usage)
  }
}
