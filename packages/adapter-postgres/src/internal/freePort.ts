// Finds a free TCP port of 127.0.0.1. Another program can take it before it is used: callers try again.

import { Effect, Predicate } from "effect"
import * as Net from "node:net"

/** A port that was free a moment ago. Dies when not even a random port can be opened. */
export const freePort: Effect.Effect<number> = Effect.callback<number>((resume) => {
  const server = Net.createServer()
  server.once("error", (error) => resume(Effect.die(error)))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => {
      if (Predicate.isNotNull(address) && !Predicate.isString(address)) resume(Effect.succeed(address.port))
      else resume(Effect.die(new Error("a TCP server without a port")))
    })
  })
  return Effect.sync(() => server.close())
})
