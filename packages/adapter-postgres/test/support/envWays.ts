// The ways that a change of an Env takes to the database, and how an App is brought to where its next change takes one: a
// store that knows its Env and meets nobody, one that knows nothing of it, and one that others were met on.

import type { App } from "@lockkeeper/core/domain/App"
import type { EnvStore } from "@lockkeeper/core/port/EnvStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { type Context, Effect } from "effect"

/** A replica: the store of one process. */
export type Replica = Context.Context<EnvStore>

/** A way, and what is done by the replica that will take it and by another one before. */
export interface EnvWay {
  readonly name: "cold" | "free" | "unchanged" | "held" | "met"
  /** What the change is; without one, a key that nobody else sets. */
  readonly change?: Readonly<Record<string, string>>
  readonly before: ReadonlyArray<"own" | "other">
}

/** The way of an Env that one process alone changes. */
export const free: EnvWay = { name: "free", before: ["own"] }

/** The way of an Env that several processes change. */
export const held: EnvWay = { name: "held", before: ["own", "other", "own"] }

/** All ways. */
export const envWays: ReadonlyArray<EnvWay> = [
  { name: "cold", before: [] },
  free,
  { name: "unchanged", before: ["own"], change: { BEFORE_0: "0" } },
  held,
  { name: "met", before: ["own", "other", "own", "other"] }
]

/** Brings a new App to where its next change by `own` takes this way. */
export const onWay = Effect.fnUntraced(function* ({ before }: EnvWay, own: Replica, other: Replica) {
  const app = yield* Given.registered()
  for (const [index, who] of before.entries()) {
    const revise = Given.revised(app, { [`BEFORE_${index}`]: String(index) })
    yield* Effect.provideContext(revise, who === "own" ? own : other)
  }
  return app
})

/** Changes it there. */
export const reviseOnWay = (way: EnvWay, app: App, own: Replica) =>
  Effect.provideContext(Given.revised(app, way.change ?? { CHANGED: "1" }), own)
