import { Effect } from "effect"
import type { Options } from "../options.ts"
import type { Verdict } from "../told.ts"
export const transitions = (_: Options): Effect.Effect<ReadonlyArray<Verdict>> => Effect.succeed([])
