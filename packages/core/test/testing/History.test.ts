// How a history is recorded, and how it is written down and read back.

import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Ref, Result } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { envMap } from "../../src/testing/envMap.ts"
import * as History from "../../src/testing/History.ts"
import { format, formatEvent, InvalidHistory, parse } from "../../src/testing/historyLines.ts"
import { linearizable } from "../../src/testing/linearizable.ts"
import { atomicHistory, envInput } from "../support/arbitraryHistories.ts"
import { register, type RegisterInput, type RegisterOutput } from "../support/registerAndQueue.ts"
import { sequentialEnv } from "../support/Sequential.ts"

const call = (input: string) => ({ key: "k", process: "p", input })

const classify: History.Classify<string, "refused" | "lost" | "full", string> = {
  success: (value) => value.toUpperCase(),
  failure: (error) =>
    error === "full" ? { type: "ok", output: "FULL" } : { type: error === "refused" ? "fail" : "unknown" }
}

describe("X18 a recorder", () => {
  it.effect("records an output, a failure without effect, a refusal that is an output, and a lost answer", () =>
    Effect.gen(function* () {
      const history = yield* History.make<string, string>()
      const run = (input: string, self: Effect.Effect<string, "refused" | "lost" | "full">) =>
        Effect.exit(history.record(call(input), self, classify))
      expect(yield* run("a", Effect.succeed("done"))).toEqual(Exit.succeed("done"))
      expect(yield* run("b", Effect.fail("refused"))).toEqual(Exit.fail("refused"))
      yield* run("c", Effect.fail("full"))
      yield* run("d", Effect.fail("lost"))
      const outcomes = (yield* history.operations).map(({ input, outcome }) => [input, outcome.type])
      expect(outcomes).toEqual([
        ["a", "ok"],
        ["b", "fail"],
        ["c", "ok"],
        ["d", "unknown"]
      ])
    })
  )

  it.effect("records a defect, an interruption, and both beside an error as unknown", () =>
    Effect.gen(function* () {
      const history = yield* History.make<string, string>()
      const ends = [
        Effect.die("bug"),
        Effect.interrupt,
        Effect.failCause(Cause.combine(Cause.fail("refused" as const), Cause.die("bug"))),
        Effect.failCause(Cause.combine(Cause.fail("refused" as const), Cause.interrupt()))
      ]
      for (const end of ends) {
        const exit = yield* Effect.exit(history.record(call("x"), end, classify))
        expect(Exit.isFailure(exit)).toBe(true)
      }
      expect((yield* history.operations).map(({ outcome }) => outcome)).toEqual(ends.map(() => ({ type: "unknown" })))
    })
  )

  it.effect("shows an operation that is running as unknown, and one that is interrupted stays so", () =>
    Effect.gen(function* () {
      const history = yield* History.make<string, string>()
      const started = yield* Deferred.make<void>()
      const running = yield* Effect.forkChild(
        history.record(call("x"), Effect.andThen(Deferred.succeed(started, undefined), Effect.never), classify)
      )
      yield* Deferred.await(started)
      expect(yield* history.operations).toMatchObject([{ input: "x", outcome: { type: "unknown" } }])
      yield* Fiber.interrupt(running)
      expect(yield* history.operations).toMatchObject([{ input: "x", outcome: { type: "unknown" } }])
    })
  )

  it.effect("keeps the order of what follows one another although the clock stands still", () =>
    Effect.gen(function* () {
      const history = yield* History.make<RegisterInput, RegisterOutput>()
      const done = { success: (value: RegisterOutput) => value, failure: (never: never) => never }
      const object = { key: "k", process: "p" }
      yield* history.record({ ...object, input: { type: "write", value: 1 } }, Effect.succeed(null), done)
      yield* history.record({ ...object, input: { type: "read" } }, Effect.succeed(0), done)
      expect(linearizable(register, yield* history.operations).type).toBe("notLinearizable")
    })
  )

  it.effect("takes its time from the Clock, or from where it is told to", () =>
    Effect.gen(function* () {
      const times = [5n, 7n, 7n, 6n, 20n].values()
      const own = yield* History.make<string, string>({ now: () => times.next().value ?? 99n })
      const shared = yield* History.make<string, string>()
      yield* own.record(call("x"), Effect.succeed("y"), classify)
      yield* own.record(call("x"), Effect.succeed("y"), classify)
      yield* shared.record(call("x"), TestClock.adjust("3 seconds").pipe(Effect.as("y")), classify)
      expect(yield* own.operations).toMatchObject([
        { invokedAt: 7n, outcome: { returnedAt: 8n } },
        { invokedAt: 9n, outcome: { returnedAt: 20n } }
      ])
      expect(yield* shared.operations).toMatchObject([{ invokedAt: 0n, outcome: { returnedAt: 3_000_000_000n } }])
    })
  )

  it.live("records what many fibers do at once: an atomic register is linearizable, a torn one is not", () =>
    Effect.gen(function* () {
      const increments = (add: (value: Ref.Ref<number>) => Effect.Effect<number>) =>
        Effect.gen(function* () {
          const history = yield* History.make<RegisterInput, RegisterOutput>()
          const value = yield* Ref.make(0)
          const one = (fiber: number) =>
            Effect.gen(function* () {
              for (let turn = 0; turn < 20; turn++) {
                const from = yield* Ref.get(value)
                const input = { type: "compareAndSet", from, to: from + 1 } as const
                const object = { key: "k", process: `p${fiber}`, input }
                yield* history.record(
                  object,
                  Effect.map(add(value), (before) => before === from),
                  {
                    success: (found) => found,
                    failure: (never: never) => never
                  }
                )
                yield* Effect.yieldNow
              }
            })
          yield* Effect.all(
            Array.from({ length: 64 }, (_, fiber) => one(fiber)),
            { concurrency: "unbounded" }
          )
          return yield* history.operations
        })
      const atomic = yield* increments((value) => Ref.getAndUpdate(value, (before) => before + 1))
      const torn = yield* increments((value) =>
        Effect.gen(function* () {
          const before = yield* Ref.get(value)
          yield* Effect.yieldNow
          yield* Ref.set(value, before + 1)
          return before
        })
      )
      expect(atomic.length + torn.length).toBe(2 * 64 * 20)
      expect(linearizable(register, torn).type).toBe("notLinearizable")
    })
  )
})

describe("X18 a history as JSON lines", () => {
  it("comes back as it was written", () => {
    const size = { minLength: 0, maxLength: 20, processes: 3, losesAnswers: true }
    fc.assert(
      fc.property(atomicHistory(sequentialEnv, envInput, size), (history) => {
        expect(parse(envMap, format(envMap, history))).toEqual(Result.succeed(history))
      })
    )
  })

  it.effect("is what a process that was killed has written: its call is there, without an answer", () =>
    Effect.gen(function* () {
      let file = ""
      const line = formatEvent(envMap)
      const history = yield* History.make<typeof envMap.input.Type, typeof envMap.output.Type>({
        now: () => 5n,
        write: (event) => Effect.sync(() => (file += line(event)))
      })
      const object = { key: "app", process: "p", input: { type: "read" } } as const
      const seen: Array<string> = []
      yield* history.record(
        object,
        Effect.sync(() => seen.push(file)),
        {
          success: () => ({ type: "read", revision: 0, entries: {} }) as const,
          failure: (never: never) => never
        }
      )
      expect(seen).toEqual(['{"type":"call","id":0,"at":"5","key":"app","process":"p","input":{"type":"read"}}\n'])
      expect(parse(envMap, file)).toEqual(Result.succeed(yield* history.operations))
      for (let length = 0; length < file.length; length++) {
        const cut = Result.getOrThrow(parse(envMap, file.slice(0, length)))
        expect(cut.map(({ outcome }) => outcome.type)).toEqual(length < seen.join().length ? [] : ["unknown"])
      }
    })
  )

  const calling = '{"type":"call","id":0,"at":"5","key":"k","process":"p","input":{"type":"read"}}\n'
  const failing = '{"type":"fail","id":0,"at":"6"}\n'

  it.each([
    ["a call twice", `${calling}${calling}`, "operation 0 is called twice"],
    ["an answer twice", `${calling}${failing}${failing}`, "operation 0 is answered twice"],
    ["an answer without a call", failing, "operation 0 is answered and was not called"],
    ["an answer before its call", calling + failing.replace("6", "4"), "operation 0 is answered before it is called"]
  ])("is refused with %s, and the line is named", (_, text, reason) => {
    const line = text.split("\n").length - 1
    expect(parse(envMap, text)).toEqual(Result.fail(new InvalidHistory({ line, reason })))
  })

  it("is refused with a line that is not one, but for the last one when it was cut off", () => {
    const result = parse(envMap, `${calling}{"type":\n${failing}`)
    expect(Result.isFailure(result) && result.failure.line).toBe(2)
  })
})
