// What `npm run bench:subnets` measures, and how long and how often.

import { parseArgs } from "node:util"

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

const positive = (name: string, text: string): number => {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new Error(`--${name} takes a number above 0\n${usage}`)
}

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
  const asked = values.only.split(",")
  const unknown = asked.find((name) => !parts.some((part) => part === name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such part\n${usage}`)
  return {
    seconds: positive("seconds", values.seconds),
    warmUp: positive("warmup", values.warmup),
    rounds: Math.ceil(positive("rounds", values.rounds)),
    held: Math.ceil(positive("held", values.held)),
    few: Math.ceil(positive("few", values.few)),
    walMegabytes: Math.ceil(positive("wal", values.wal)),
    url: values.url,
    only: parts.filter((part) => asked.includes(part))
  }
}
