// Finds a free TCP port of 127.0.0.1. It is none of those that a system gives to outgoing connections by itself unless it was
// told otherwise (`ip_local_port_range`): one of these could have it before the one for whom it was found listens there.

import { Effect } from "effect"
import { randomInt } from "node:crypto"
import * as Net from "node:net"
import { describeSystemError, errorCode } from "./systemError.ts"

const first = 10_000
const last = 19_999
const tries = 200

/** A port that was free a moment ago and is not among those taken. Fails with a clause for a person. */
export const freePort = Effect.fnUntraced(function* (
  isTaken: (port: number) => boolean
): Effect.fn.Return<number, string> {
  for (let count = 0; count < tries; count++) {
    const port = randomInt(first, last + 1)
    if (!isTaken(port) && (yield* isFree(port))) return port
  }
  return yield* Effect.fail(`no port between ${first} and ${last} is free`)
})

/** Whether nobody listens on a port of 127.0.0.1. Fails with a clause for a person. */
export const isFree = (port: number): Effect.Effect<boolean, string> =>
  Effect.callback<boolean, string>((resume) => {
    const server = Net.createServer()
    server.once("error", (error) => {
      const isInUse = errorCode(error) === "EADDRINUSE" || errorCode(error) === "EACCES"
      resume(isInUse ? Effect.succeed(false) : Effect.fail(describeSystemError(error)))
    })
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
    return Effect.sync(() => server.close())
  })
