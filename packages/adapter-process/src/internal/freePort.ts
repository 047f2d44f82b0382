// Finds a free TCP port of 127.0.0.1. Another program can take it before it is used.

import { Effect, Predicate } from "effect"
import * as Net from "node:net"
import { describeSystemError } from "./systemError.ts"

/** A port that was free a moment ago. Fails with a clause for a person. */
export const freePort: Effect.Effect<number, string> = Effect.callback<number, string>((resume) => {
  const server = Net.createServer()
  server.once("error", (error) => resume(Effect.fail(describeSystemError(error))))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => {
      if (Predicate.isNotNull(address) && !Predicate.isString(address)) resume(Effect.succeed(address.port))
      else resume(Effect.die(new Error("a TCP server without a port")))
    })
  })
  return Effect.sync(() => server.close())
})
