// What Workloads say: whole lines in order, for several readers, without ever holding up who speaks.

import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { lineBytes, makeLineSplitter } from "@lockkeeper/core/domain/lineSplitter"
import { makeLogBuffer } from "../src/internal/logBuffer.ts"
import { runtime } from "./support/running.ts"

const split = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const splitter = makeLineSplitter((line) => lines.push(line))
  for (const chunk of chunks) splitter.push(chunk)
  splitter.end()
  return lines
}

describe("lines", () => {
  it.effect.prop(
    "are the same however their bytes are cut into chunks",
    { text: Schema.Array(Schema.String), cuts: Schema.Array(Schema.Int) },
    ({ cuts, text }) =>
      Effect.sync(() => {
        const whole = text.map((line) => line.toWellFormed().replaceAll(/[\r\n]/g, "ä€😀"))
        const bytes = Buffer.from(whole.map((line) => `${line}\n`).join(""))
        const places = [...cuts.map((cut) => Math.abs(cut) % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
        const chunks = places.map((place, index) => bytes.subarray(places[index - 1] ?? 0, place))
        assert.deepStrictEqual(split(chunks), whole)
      })
  )

  it("that are too long are split between characters (B23)", () => {
    const long = `a${"😀".repeat(3 * lineBytes)}`
    const lines = split([Buffer.from(`${long}\r\nshort`)])
    assert.strictEqual(lines.slice(0, -1).join(""), long)
    assert.strictEqual(lines.at(-1), "short")
    for (const line of lines) assert.isAtMost(Buffer.byteLength(line), lineBytes)
    assert.notInclude(lines.join(""), "\ufffd")
  })

  it("say that they go on where they were cut, and nowhere else (B23)", () => {
    const cuts: Array<boolean> = []
    const splitter = makeLineSplitter((_, isCut) => cuts.push(isCut))
    for (const length of [lineBytes, 2 * lineBytes + 1]) splitter.push(Buffer.from(`${"a".repeat(length)}\n`))
    splitter.push(Buffer.from("a".repeat(lineBytes + 1)))
    splitter.end()
    assert.deepStrictEqual(cuts, [false, true, true, false, true, false])
  })

  it("may be empty, end with a carriage return, or hold bytes that are no text", () => {
    assert.deepStrictEqual(split([Buffer.from("\n\r\na\r"), Buffer.from("\n"), Buffer.from([0xff, 10])]), [
      "",
      "",
      "a",
      "\ufffd"
    ])
  })
})

describe("a log buffer", () => {
  it.live("gives every reader all that is kept, and says how much is not", () =>
    Effect.gen(function* () {
      const buffer = makeLogBuffer(1000)
      const early = yield* Effect.forkChild(Stream.runCollect(buffer.entries))
      for (let number = 0; number < 50; number++) {
        buffer.add({ stream: "stdout", line: `line ${number}` })
        yield* Effect.sleep(0)
      }
      const late = yield* Effect.forkChild(Stream.runCollect(buffer.entries))
      yield* Effect.sleep(10)
      buffer.end()
      assert.deepStrictEqual(
        (yield* Fiber.join(early)).map(({ line }) => line),
        Array.from({ length: 50 }, (_, number) => `line ${number}`)
      )
      const [first, ...rest] = yield* Fiber.join(late)
      assert.strictEqual(first?.stream, "system")
      assert.include(first?.line, `${50 - rest.length} earlier lines are lost`)
      assert.strictEqual(rest.at(-1)?.line, "line 49")
    })
  )
})

describe("the logs of a Workload", () => {
  it.live("hold both outputs from the start, for every reader, and end with it", () =>
    Effect.gen(function* () {
      const { logs, runLine } = yield* runtime()
      const workload = yield* runLine("echo one; echo two >&2; sleep 0.1; printf three")
      const readers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(Stream.runCollect(logs(workload))))
      for (const reader of readers) {
        const entries = yield* Fiber.join(reader)
        assert.sameDeepMembers(
          [...entries],
          [
            { stream: "stdout", line: "one" },
            { stream: "stderr", line: "two" },
            { stream: "stdout", line: "three" }
          ]
        )
      }
      assert.lengthOf(yield* Stream.runCollect(logs(workload)), 3)
    })
  )

  it.live("never hold up a Workload that nobody listens to (B23)", () =>
    Effect.gen(function* () {
      const { inspect, linesUntil, runLine } = yield* runtime()
      const workload = yield* runLine("head -c 30000000 /dev/zero | tr '\\0' 'x'; echo; seq 200000; echo done; exit 0")
      const lines = yield* linesUntil(workload)
      assert.strictEqual(lines.at(-1), "done")
      assert.strictEqual((yield* inspect(workload)).state, "exited")
      const again = yield* linesUntil(workload)
      assert.match(again[0] ?? "", /^\d+ earlier lines are lost: only the last 1 MiB/)
      assert.strictEqual(again.at(-2), "200000")
    })
  )

  it.live("end although somebody who left its process group still holds its output", () =>
    Effect.gen(function* () {
      const { linesUntil, runLine } = yield* runtime()
      const workload = yield* runLine("setsid sleep 3 & echo up; exit 0")
      const start = performance.now()
      assert.deepStrictEqual(yield* linesUntil(workload), ["up"])
      assert.isBelow(performance.now() - start, 2500)
    })
  )
})
