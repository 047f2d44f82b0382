// Requests without a pause over connections that are kept, as browsers and proxies make them. Nothing is tried again.

import { Effect, Fiber, type Scope } from "effect"
import { Agent } from "node:http"
import { ask, type Reply } from "./deploying.ts"

/** What came of the requests. */
interface LoadReport {
  readonly requests: number
  readonly failures: ReadonlyArray<Reply>
}

/** Requests that go on. */
export interface Load {
  /** Ends them and says what came of them. */
  readonly end: Effect.Effect<LoadReport>
}

/** Sends requests from several loops until it is ended. */
export const load = Effect.fnUntraced(function* (url: string, loops = 4): Effect.fn.Return<Load, never, Scope.Scope> {
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ keepAlive: true, maxSockets: loops })),
    (agent) => Effect.sync(() => agent.destroy())
  )
  let requests = 0
  let isOver = false
  const failures: Array<Reply> = []

  const loop = Effect.gen(function* () {
    while (!isOver) {
      const reply = yield* ask(url, agent)
      requests++
      if (reply.status !== 200) failures.push(reply)
      yield* Effect.sleep("3 millis")
    }
  })
  const fibers = yield* Effect.forEach(Array.from({ length: loops }), () => Effect.forkScoped(loop))
  const end = Effect.gen(function* () {
    isOver = true
    yield* Fiber.joinAll(fibers)
    return { requests, failures }
  })
  return { end }
})
