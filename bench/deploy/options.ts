// What `npm run bench:deploy` measures, and how often.

import { parseArgs } from "node:util"
import { chosen, positive } from "../common/options.ts"

const parts = ["wall", "transitions", "logs", "takeover", "supersede"] as const

/** What the bench was asked for. `supersedes` is how often a Deployment is superseded; `mebibytes` the size of a log. */
export interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly mebibytes: number
  readonly supersedes: number
  /** Whether servers get a direct way to the database, on which they can listen. */
  readonly isDirect: boolean
  readonly only: ReadonlyArray<(typeof parts)[number]>
}

const usage = `usage: npm run bench:deploy -- [--rounds 3] [--seconds 3] [--mib 1024] [--supersedes 100] [--direct] [--only ${parts.join(",")}]`

const number = positive(usage, Number.isInteger)

/** Reads the options of the command line. Throws with what is wrong, and with the usage. */
export const readOptions = (args: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      mib: { type: "string", default: "1024" },
      supersedes: { type: "string", default: "100" },
      direct: { type: "boolean", default: false },
      only: { type: "string", default: parts.join(",") }
    }
  })
  return {
    rounds: number("rounds", values.rounds),
    seconds: number("seconds", values.seconds),
    mebibytes: number("mib", values.mib),
    supersedes: number("supersedes", values.supersedes),
    isDirect: values.direct,
    only: chosen(parts, values.only, usage)
  }
}
