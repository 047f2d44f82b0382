// Where a Workload listens, and commands that run once, on the real engine.

import { assert, it } from "@effect/vitest"
import { WorkloadName, WorkloadPort } from "@lockkeeper/core/domain/Workload"
import { Duration, Effect, Fiber } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { linesOf, nothing, runtime, shell, sleeping, specOf } from "./support/engine.ts"

describeWith("docker")("the port of a Workload", () => {
  it.live("is its own, else the one that its image exposes, else 8080, and PORT says it", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const plain = yield* made.buildOf(shell('echo "$PORT"'))
      const exposed = yield* made.buildOf(shell('echo "$PORT"', "EXPOSE 3000 5353/udp\n"))
      const several = yield* made.buildOf(shell('echo "$PORT"', "EXPOSE 3000 4000\n"))
      const port = WorkloadPort.make(5000)
      for (const [image, own, expected] of [
        [plain, null, 8080],
        [exposed, null, 3000],
        [exposed, port, 5000],
        [several, port, 5000]
      ] as const) {
        const workload = yield* made.start(specOf(image, { port: own }))
        assert.strictEqual(workload.address.port, expected)
        assert.deepStrictEqual(yield* linesOf(made, workload), [`stdout: ${expected}`])
      }
      const error = yield* Effect.flip(made.start(specOf(several)))
      assert.deepStrictEqual([error.reason, error.detail.includes("3000, 4000")], ["start_failed", true])
    })
  )
})

describeWith("docker")("a command on Docker", () => {
  it.live("runs in the image with the Env, says lines, and its end is told", () =>
    Effect.gen(function* () {
      const made = yield* runtime({ memoryBytes: 32 * 1024 ** 2 })
      const image = yield* made.buildOf(shell("exit 1", 'ENTRYPOINT ["echo"]\n'))
      const run = (...command: [string, ...ReadonlyArray<string>]) =>
        made.run({ ...specOf(image, { env: { GREETING: "hello" } }), command }, made.say, () => Effect.void)
      assert.deepStrictEqual(yield* run("sh", "-c", 'echo "$GREETING"; echo no >&2; exit 7'), {
        exitCode: 7,
        reason: "exited with code 7"
      })
      assert.deepStrictEqual(made.said.slice(-2).sort(), ["stderr: no", "stdout: hello"])
      const greedy = yield* run(
        "sh",
        "-c",
        "head -c 100000000 /dev/zero | tail -c 90000000 >/dev/null; sleep 0.3; exit 9"
      )
      assert.include(greedy.reason, "out of memory")
      assert.strictEqual((yield* run("/no/such/program")).exitCode, 127)
      assert.match(made.said.at(-1) ?? "", /No such file/)
      assert.deepStrictEqual(yield* made.left, nothing)
    })
  )

  it.live("that is interrupted is killed, with nothing left of it", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const image = yield* made.buildOf(sleeping)
      const name = WorkloadName.make("dep_command-1")
      const running = made.run(
        { ...specOf(image, { name }), command: ["sh", "-c", "echo up; sleep 1000"] },
        made.say,
        () => Effect.void
      )
      const fiber = yield* Effect.forkChild(running)
      yield* eventually(
        "it runs",
        Effect.sync(() => made.said.includes("stdout: up")),
        (runs) => runs
      )
      assert.deepStrictEqual(yield* made.owned, [name])
      const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
      assert.isBelow(Duration.toMillis(took), 2_000)
      assert.deepStrictEqual(yield* made.left, nothing)
    })
  )
})
