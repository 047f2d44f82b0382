// What Lockkeeper adds to a deploy on Docker: the time until a Deployment is healthy, beside that of a straight script with the
// same engine calls and the same health check. Both take turns; a build takes at least ten seconds, or nothing.

import { Effect } from "effect"
import { begin, makeApp } from "../../../test/harness/deploying.ts"
import { images } from "../../../test/harness/images.ts"
import { goodApp } from "../../../test/harness/testApp.ts"
import { Ground, replicas, until } from "../ground.ts"
import type { Options } from "../options.ts"
import { cleared, retired, straight } from "../straight.ts"
import { medians, timed, told } from "../told.ts"

const healthCheck = { path: "/healthz", intervalMillis: 100, timeoutSeconds: 60 }

/** An App whose build waits for ten seconds whenever its stamp is another one. */
const slowApp = (stamp: string) => ({
  ...goodApp("bench"),
  stamp,
  Dockerfile: [
    `FROM ${images.node}`,
    "WORKDIR /app",
    "ENV HOST=0.0.0.0",
    "COPY stamp stamp",
    "RUN sleep 10",
    "COPY . .",
    'CMD ["node", "app.mjs"]',
    ""
  ].join("\n")
})

/** Measures both, in turns. */
export const wall = Effect.fnUntraced(function* (options: Options) {
  const { archives } = yield* Ground
  const [server] = yield* replicas(1, "docker", options)
  if (server === undefined) return yield* Effect.die("no server")
  yield* Effect.addFinalizer(() => cleared)
  const { id: app } = yield* makeApp(server.client, { check: healthCheck })

  const ours = Effect.fnUntraced(function* (stamp: string) {
    const source = yield* archives.source(slowApp(stamp))
    const [seconds, row] = yield* timed(
      Effect.flatMap(begin(server.client, app, { source }), ({ id }) => until(id, ["healthy", "failed"]))
    )
    return row?.status === "healthy" ? seconds : yield* Effect.die(new Error(`a Deployment is ${row?.status}`))
  })
  const script = Effect.fnUntraced(function* (stamp: string) {
    const source = yield* archives.source(slowApp(stamp))
    const [seconds] = yield* timed(straight(source.url, healthCheck))
    yield* retired
    return seconds
  })

  const taken: Record<"ours" | "script" | "oursCached" | "scriptCached", Array<number>> = {
    ours: [],
    script: [],
    oursCached: [],
    scriptCached: []
  }
  yield* ours("warm")
  yield* script("warm")
  for (let round = 0; round < options.rounds; round++) {
    taken.ours.push(yield* ours(`ours ${round}`))
    taken.script.push(yield* script(`script ${round}`))
    taken.oursCached.push(yield* ours(`ours ${round}`))
    taken.scriptCached.push(yield* script(`script ${round}`))
  }
  const over = (mine: ReadonlyArray<number>, peer: ReadonlyArray<number>, of: (a: number, b: number) => number) =>
    mine.map((seconds, round) => of(seconds, peer[round] ?? Number.NaN))
  const { ours: built, oursCached, script: peer, scriptCached } = taken
  const ratio = over(built, peer, (a, b) => a / b)
  const added = over(oursCached, scriptCached, (a, b) => (a - b) * 1_000)
  return [
    yield* told(
      { name: "a deploy with a build / a straight script", unit: "ratio", atMost: 1.1 },
      ratio,
      medians({ built, peer })
    ),
    yield* told(
      { name: "added to a deploy with a cached build", unit: "ms" },
      added,
      medians({ oursCached, scriptCached })
    )
  ]
}, Effect.scoped)
