// A way to the real engine that can do what engines do: be away, take calls and never answer them, or die in the middle of an
// answer.

import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import * as Path from "node:path"
import { temporaryDirectory } from "../../../../test/harness/temporaryDirectory.ts"

/** A proxy and what may be done to it. `path` chooses the calls, by the first line of their request. */
export interface EngineProxy {
  /** Where it listens, as the options of the adapter take it. */
  readonly engine: string
  /** Refuses every connection and cuts those that are open. */
  readonly away: Effect.Effect<void>
  /** Listens again. */
  readonly back: Effect.Effect<void>
  /** Takes calls and does not pass them on. */
  readonly stall: (path: RegExp) => void
  /** How many calls it has taken and not passed on. */
  readonly stalled: () => number
  /** Passes calls on, and so many bytes of their answer; then it cuts the connection. */
  readonly cut: (path: RegExp, afterBytes: number) => void
  /** Passes calls on and keeps their answers. */
  readonly mute: (path: RegExp) => void
  /** Lets everything through again. */
  readonly resume: () => void
}

interface Fault {
  readonly kind: "stall" | "cut" | "mute"
  readonly path: RegExp
  readonly afterBytes: number
}

const requestLine = /^(?:GET|POST|PUT|DELETE|HEAD) \S+ HTTP\/1\.1\r\n/

/** Opens a proxy to the engine of this machine; it is closed when the Scope closes. */
export const engineProxy: Effect.Effect<EngineProxy, never, Scope.Scope> = Effect.gen(function* () {
  const socket = Path.join(yield* temporaryDirectory, "engine.sock")
  const open = new Set<Net.Socket>()
  let fault: Fault | undefined
  let stalled = 0

  const server = Net.createServer((near) => {
    const far = Net.connect("/var/run/docker.sock")
    let current: Fault | undefined
    let passed = 0
    open.add(near)
    for (const [one, other] of [
      [near, far],
      [far, near]
    ] as const) {
      one.on("error", () => other.destroy())
      one.once("close", () => {
        open.delete(near)
        other.destroy()
      })
    }
    near.on("data", (chunk) => {
      const [line] = requestLine.exec(chunk.toString("latin1")) ?? []
      if (line !== undefined) {
        current = fault?.path.test(line) === true ? fault : undefined
        passed = 0
        if (current?.kind === "stall") stalled++
      }
      if (current?.kind !== "stall") far.write(chunk)
    })
    far.on("data", (chunk) => {
      if (current?.kind === "mute") return
      if (current?.kind !== "cut") return void near.write(chunk)
      near.write(chunk.subarray(0, current.afterBytes - passed))
      passed += chunk.length
      if (passed >= current.afterBytes) setImmediate(() => near.destroy())
    })
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(socket), "listening")),
    () =>
      Effect.sync(() => {
        server.close()
        for (const near of open) near.destroy()
      })
  )
  const set =
    (kind: Fault["kind"]) =>
    (path: RegExp, afterBytes = 0) => {
      fault = { kind, path, afterBytes }
    }
  return {
    engine: `unix://${socket}`,
    away: Effect.sync(() => {
      server.close()
      for (const near of open) near.destroy()
    }),
    back: Effect.asVoid(Effect.promise(() => once(server.listen(socket), "listening"))),
    stall: set("stall"),
    stalled: () => stalled,
    cut: set("cut"),
    mute: set("mute"),
    resume: () => {
      fault = undefined
    }
  }
})
