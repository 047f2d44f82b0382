// Workloads as processes: the contract of the port, what they are given, how they end, and that nothing of them is left.

import { Env, EnvKey } from "@lockkeeper/core/domain/Env"
import { WorkloadId, WorkloadName } from "@lockkeeper/core/domain/Workload"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { makeContainerRuntimeContract } from "@lockkeeper/core/testing/ContainerRuntimeContract"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { findProcess, isAlive } from "../src/internal/processTable.ts"
import { filesBelow, processesWith, until } from "./support/processes.ts"
import { groupOf, pidOf, runtime, specOf, treeOf } from "./support/running.ts"

describe("the contract of ContainerRuntime", () => {
  const world = Layer.effect(ContainerRuntime, runtime())
  const files = { Procfile: "web: exec sleep 1000\n" }
  const trees = Effect.all([treeOf(files), treeOf({ ...files, "below/more/file.txt": "one" })])
  const contract = Effect.map(trees, ([tree, deeper]) => makeContainerRuntimeContract(tree, deeper))
  const nowhere = { directory: "", commit: null }
  const laws = makeContainerRuntimeContract(nowhere, nowhere)
  it.live.each(laws.map(({ id, law }, index) => [`${id}: ${law}`, index] as const))("%s", ([, index]) =>
    Effect.flatMap(contract, (made) => made[index]?.run ?? Effect.die("no such law")).pipe(
      Effect.provide(world),
      Effect.scoped
    )
  )
})

describe("a Workload", () => {
  it.live("has exactly the environment that was promised, an empty input, and a private home (X2)", () =>
    Effect.gen(function* () {
      process.env["LOCKKEEPER_TEST_CANARY"] = "canary"
      const { builds, homes, linesUntil, runLine } = yield* runtime()
      const workload = yield* runLine("cat; env; pwd; ls -ld $HOME; echo end; exec sleep 1000", "one", {
        A: "1",
        B_2: "x y"
      })
      const lines = yield* linesUntil(workload, "end")
      const home = Path.join(Path.dirname(builds), "homes", homes()[0] ?? "")
      const image = Path.join(builds, workload.image.slice("sha256:".length))
      const environment = [
        "A=1",
        "B_2=x y",
        `HOME=${home}`,
        `PATH=${process.env["PATH"]}`,
        `PORT=${workload.address.port}`,
        `TMPDIR=${home}`
      ]
      assert.deepStrictEqual(lines.slice(0, 6).sort(), environment)
      assert.strictEqual(lines[6], image)
      assert.match(lines[7] ?? "", /^drwx------/)
      assert.strictEqual(lines.length, 9)
    })
  )

  it.live("inherits neither the pipe that ends it nor the watcher as its child", () =>
    Effect.gen(function* () {
      const { linesUntil, runLine } = yield* runtime()
      const workload = yield* runLine(
        "readlink /proc/$$/fd/3 || echo none; cat /proc/$$/task/*/children; echo; echo end; exec sleep 1000"
      )
      const lines = yield* linesUntil(workload, "end")
      assert.strictEqual(lines[0], "none")
      assert.lengthOf((lines[1] ?? "").trim().split(" "), 1)
      assert.strictEqual(groupOf(workload).length, 2)
    })
  )

  it.live("answers on its port, which no other Workload has", () =>
    Effect.gen(function* () {
      const { buildOf, linesUntil, start } = yield* runtime()
      const server = `require("http").createServer((_, r) => r.end(process.env.NAME)).listen(process.env.PORT, "127.0.0.1", () => console.log("up"))`
      const image = yield* buildOf({ Procfile: "web: exec node server.js", "server.js": server })
      for (const name of ["one", "two"]) {
        const workload = yield* start(specOf(image, name, { NAME: name }))
        yield* linesUntil(workload, "up")
        const { host, port } = workload.address
        assert.strictEqual(yield* Effect.promise(() => fetch(`http://${host}:${port}`).then((r) => r.text())), name)
      }
    })
  )

  it.live("says how it ended: with a code, by a signal, or by one that its shell saw", () =>
    Effect.gen(function* () {
      const { inspect, linesUntil, owned, runLine, stop } = yield* runtime()
      const ends = yield* Effect.forEach(["exit 3", "kill -KILL $$", "sh -c 'kill -KILL $$'; exit $?"], (line, index) =>
        Effect.gen(function* () {
          const workload = yield* runLine(line, `w${index}`)
          yield* linesUntil(workload)
          const seen = yield* inspect(workload)
          assert.include(yield* owned, workload.name)
          yield* stop(workload.name, undefined)
          assert.deepStrictEqual(yield* inspect(workload), { state: "gone" })
          return seen
        })
      )
      assert.deepStrictEqual(ends, [
        { state: "exited", reason: "exited with code 3" },
        { state: "exited", reason: "ended by SIGKILL" },
        { state: "exited", reason: "exited with code 137 (SIGKILL)" }
      ])
    })
  )

  it.live("takes what it started along when it exits by itself, also what ignores signals", () =>
    Effect.gen(function* () {
      const { linesUntil, runLine } = yield* runtime()
      const workload = yield* runLine("(trap '' TERM; sleep 1000) & sleep 1000 & (sleep 1000 &) ; echo started; exit 0")
      yield* linesUntil(workload)
      yield* until(() => groupOf(workload).length === 0)
      assert.deepStrictEqual(groupOf(workload), [])
    })
  )

  it.live("has its grace to end, also behind a shell; then its whole group is killed (B23)", () =>
    Effect.gen(function* () {
      const { homes, linesUntil, runLine, stop } = yield* runtime({ grace: "700 millis" })
      const polite = yield* runLine(
        `node -e 'process.on("SIGTERM", () => setTimeout(() => { console.log("bye"); process.exit() }, 200)); setInterval(() => {}, 9); console.log("up")'`,
        "polite"
      )
      yield* linesUntil(polite, "up")
      yield* stop(polite.name, polite.id)
      assert.deepStrictEqual(groupOf(polite), [])

      const stubborn = yield* runLine(
        "trap '' TERM; (trap '' TERM; sleep 1000) & echo up; while :; do sleep 1; done",
        "stubborn"
      )
      yield* linesUntil(stubborn, "up")
      assert.isAtLeast(groupOf(stubborn).length, 3)
      const start = performance.now()
      yield* stop(stubborn.name, undefined)
      assert.isAtLeast(performance.now() - start, 690)
      assert.isBelow(performance.now() - start, 3000)
      assert.deepStrictEqual(groupOf(stubborn), [])
      assert.deepStrictEqual(homes(), [])
    })
  )

  it.live("keeps its last words when it is stopped", () =>
    Effect.gen(function* () {
      const { linesUntil, runLine, stop } = yield* runtime()
      const workload = yield* runLine("trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.05; done")
      yield* linesUntil(workload, "up")
      const reading = yield* Effect.forkChild(linesUntil(workload))
      yield* Effect.yieldNow
      yield* stop(workload.name, workload.id)
      assert.includeMembers([...(yield* Fiber.join(reading))], ["up", "bye"])
    })
  )

  it.live("of an image that is gone, of a name in use, or without a home is not started", () =>
    Effect.gen(function* () {
      const { builds, directory, homes, owned, runLine, start } = yield* runtime()
      const workload = yield* runLine("exec sleep 1000")
      const used = yield* Effect.flip(start(specOf(workload.image, "workload")))
      assert.deepStrictEqual([used.reason, yield* owned], ["name_conflict", ["workload"]])
      assert.lengthOf(homes(), 1)

      Fs.renameSync(builds, Path.join(directory, "away"))
      assert.strictEqual((yield* Effect.flip(start(specOf(workload.image, "other")))).reason, "image_gone")
      Fs.renameSync(Path.join(directory, "away"), builds)
      const elsewhere = yield* runtime({ builds, homes: Path.join(builds, "x", "\0") })
      const homeless = yield* Effect.flip(elsewhere.start(specOf(workload.image, "other")))
      assert.strictEqual(homeless.reason, "start_failed")
    })
  )

  it.live("that is interrupted at its start leaves no process and no home (INV-7)", () =>
    Effect.gen(function* () {
      const { buildOf, homes, owned, start } = yield* runtime()
      const image = yield* buildOf({ Procfile: "web: exec sleep 1000.25" })
      for (let round = 0; round < 40; round++) {
        const starting = yield* Effect.forkChild(start(specOf(image, `w${round}`)))
        yield* Effect.sleep(round / 2)
        yield* Fiber.interrupt(starting)
        const exit = yield* Fiber.await(starting)
        if (Exit.isFailure(exit)) assert.notInclude(yield* owned, WorkloadName.make(`w${round}`))
      }
      assert.strictEqual(homes().length, (yield* owned).length)
    })
  )

  it.live("that is interrupted when its process is there already leaves neither it nor a home (INV-7)", () =>
    Effect.gen(function* () {
      const { buildOf, directory, homes, owned, start } = yield* runtime()
      const image = yield* buildOf({ Procfile: "web: exec sleep 1000.5" })
      for (let round = 0; round < 10; round++) {
        const starting = yield* Effect.forkChild(start(specOf(image, `w${round}`)))
        yield* Effect.repeat(
          Effect.sync(() => homes().length),
          { until: (count) => count === 1 }
        )
        yield* Fiber.interrupt(starting)
        assert.isTrue(Exit.isFailure(yield* Fiber.await(starting)))
        assert.deepStrictEqual([yield* owned, homes(), processesWith(directory)], [[], [], []])
      }
    })
  )

  it.live("whose process cannot be started leaves no home, and its name is free (INV-7)", () =>
    Effect.gen(function* () {
      const { buildOf, homes, start } = yield* runtime()
      const spec = specOf(yield* buildOf({ Procfile: "web: exec sleep 1000" }), "workload")
      const env = Env.empty.with(new Map([[EnvKey.make("A"), Redacted.make("x".repeat(300_000))]]))
      const { detail, reason } = yield* Effect.flip(start({ ...spec, env }))
      assert.strictEqual(reason, "start_failed")
      assert.match(detail, /the command and its environment are too long/)
      assert.deepStrictEqual(homes(), [])
      yield* start(spec)
    })
  )

  it.live("ends with the Scope of its runtime", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { homes, runLine, start } = yield* Scope.provide(runtime(), scope)
      const workloads = [
        yield* runLine("exec sleep 1000", "one"),
        yield* runLine("trap '' TERM; sleep 1000; exit", "two")
      ]
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(workloads.flatMap(groupOf), [])
      assert.deepStrictEqual(homes(), [])
      const [one] = workloads
      const late = one === undefined ? undefined : yield* Effect.exit(start(specOf(one.image, "late")))
      assert.isTrue(late !== undefined && Exit.isFailure(late))
    })
  )
})

describe("a command", () => {
  it.live("that is interrupted leaves no process and no home (INV-7)", () =>
    Effect.gen(function* () {
      const { command, directory, homes } = yield* runtime()
      const running = yield* Effect.forkChild(command(["sleep", "1000.75"]))
      yield* until(() => processesWith(directory).length > 0)
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual([homes(), processesWith(directory)], [[], []])
    })
  )
})

describe("a Workload of another server on this host", () => {
  it.live("is seen and stopped by its pid and start time", () =>
    Effect.gen(function* () {
      const mine = yield* runtime()
      const other = yield* runtime()
      const workload = yield* mine.runLine("exec sleep 1000")
      assert.strictEqual((yield* other.inspect(workload)).state, "running")
      assert.deepStrictEqual(yield* other.owned, [])
      assert.match((yield* other.linesUntil(workload)).join(), /kept by the server that started it/)
      yield* other.stop(workload.name, workload.id)
      assert.deepStrictEqual(groupOf(workload), [])
      assert.deepStrictEqual(yield* other.inspect(workload), { state: "gone" })
      assert.strictEqual((yield* mine.inspect(workload)).state, "exited")
    })
  )

  it.live("is never taken for a process that has the same pid now", () =>
    Effect.gen(function* () {
      const { inspect, runLine, stop } = yield* runtime()
      const workload = yield* runLine("exit 0")
      const foreign = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" })
      const entry = findProcess(foreign.pid ?? 0)
      assert.isDefined(entry)
      const stale = { ...workload, id: WorkloadId.make(`${entry?.pid}-${Number(entry?.start) - 1}`) }
      assert.deepStrictEqual(yield* inspect(stale), { state: "gone" })
      yield* stop(stale.name, stale.id)
      yield* stop(WorkloadName.make("unknown"), stale.id)
      yield* stop(WorkloadName.make("unknown"), WorkloadId.make("not-a-pid"))
      assert.isTrue(entry !== undefined && isAlive(entry))
      foreign.kill("SIGKILL")
      yield* Effect.promise(() => once(foreign, "exit"))
      assert.isFalse(entry !== undefined && isAlive(entry))
    })
  )

  it.live("does not lose its files to another runtime that starts on the same directories", () =>
    Effect.gen(function* () {
      const { builds, directory, homes, inspect, runLine } = yield* runtime()
      const workload = yield* runLine("exec sleep 1000")
      yield* runtime({ builds, homes: Path.join(directory, "homes") })
      assert.strictEqual((yield* inspect(workload)).state, "running")
      assert.lengthOf(homes(), 1)
      assert.isAbove(filesBelow(builds).length, 0)
      assert.isAbove(pidOf(workload), 1)
    })
  )
})
