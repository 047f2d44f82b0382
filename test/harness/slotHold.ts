// Work that lasts until it may end, and what it writes down of that.

import { Effect, Schedule } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Edge } from "./slotOrders.ts"

/** Waits until a file is there. */
export const untilThere = (path: string): Effect.Effect<unknown> =>
  Effect.repeat(
    Effect.sync(() => Fs.existsSync(path)),
    { until: (is) => is, schedule: Schedule.spaced("5 millis") }
  )

const edge = (directory: string, name: string, work: string, is: Edge["is"]) =>
  Effect.sync(() => {
    const line: Edge = { work, at: Number(process.hrtime.bigint()) / 1e6, is }
    Fs.appendFileSync(Path.join(directory, `${name}.edges`), `${JSON.stringify(line)}\n`)
  })

/** Begins, lasts until the file `open` is in the directory, and ends; both are written down. */
export const held = (directory: string, name: string, work: string): Effect.Effect<void> =>
  edge(directory, name, work, "begin").pipe(
    Effect.andThen(untilThere(Path.join(directory, "open"))),
    Effect.andThen(Effect.sleep("5 millis")),
    Effect.ensuring(edge(directory, name, work, "end"))
  )
