// Several processes on one database, and what may befall them: they are killed, frozen for longer than a lease and thawed,
// or told to stop, and others begin. What they saw is one history on the clock of this machine.

import type { HistoryCodec } from "@lockkeeper/core/testing/SequentialModel"
import type { Operation } from "@lockkeeper/core/testing/History"
import { parse } from "@lockkeeper/core/testing/historyLines"
import { Duration, Effect, Random, Redacted, Result, type Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { launch, type ServerProcess } from "./server.ts"
import type { WorkerOrders } from "./workerOrders.ts"

/** What all workers are told alike, and how many there are. */
export interface WorkersOptions extends Pick<
  WorkerOrders,
  "apps" | "deployments" | "leaseMillis" | "pauseMillis" | "isBroken"
> {
  readonly count: number
  readonly seed: string
  readonly directory: string
  readonly database: Redacted.Redacted<string>
}

/** What is done to them, one after the other: this many of each. */
export interface Trouble {
  readonly kills: number
  readonly freezes: number
  readonly stops: number
}

const started = Effect.fnUntraced(function* (options: WorkersOptions, name: string) {
  const { apps, database, deployments, directory, isBroken, leaseMillis, pauseMillis, seed } = options
  const file = Path.join(directory, name)
  const orders: WorkerOrders = {
    name,
    seed: `${seed}-${name}`,
    file,
    apps,
    deployments,
    leaseMillis,
    pauseMillis,
    isBroken
  }
  const process = yield* launch({ PATH: "", DATABASE_URL: Redacted.value(database), WORKER: JSON.stringify(orders) }, [
    "test/harness/historyWorker.ts"
  ])
  yield* Effect.repeat(Effect.sleep("20 millis"), {
    until: () => Effect.sync(() => process.hasExited() || Fs.existsSync(`${file}.env`))
  })
  return process.hasExited() ? yield* Effect.die(new Error(`a worker did not start: ${process.output()}`)) : process
})

const ended = (process: ServerProcess, signal: NodeJS.Signals) => Effect.andThen(process.signal(signal), process.exited)

/** Runs workers through their troubles, with as long a pause before each, and ends when all have stopped. */
export const throughTroubles = Effect.fnUntraced(
  function* (
    options: WorkersOptions,
    { freezes, kills, stops }: Trouble,
    pause: Duration.Input
  ): Effect.fn.Return<void, never, Scope.Scope> {
    let names = 0
    const next = Effect.suspend(() => started(options, `worker-${++names}`))
    const workers = yield* Effect.all(
      Array.from({ length: options.count }, () => next),
      { concurrency: 4 }
    )
    const troubles = yield* Random.shuffle([
      ...Array.from({ length: kills }, () => "SIGKILL" as const),
      ...Array.from({ length: stops }, () => "SIGTERM" as const),
      ...Array.from({ length: freezes }, () => "SIGSTOP" as const)
    ])
    for (const signal of troubles) {
      yield* Effect.sleep(pause)
      const [index, worker] = yield* Effect.orDie(Random.choice([...workers.entries()]))
      if (signal === "SIGSTOP") {
        yield* worker.signal(signal)
        yield* Effect.sleep(Duration.millis(options.leaseMillis * 2))
        yield* worker.signal("SIGCONT")
      } else {
        yield* ended(worker, signal)
        workers[index] = yield* next
      }
    }
    yield* Effect.sleep(pause)
    yield* Effect.forEach(workers, (worker) => ended(worker, "SIGTERM"), { concurrency: "unbounded" })
  },
  (self, { seed }) => Random.withSeed(self, seed)
)

/** What all of them wrote down of one kind. */
export const historyOf = <Input, Output>(
  codec: HistoryCodec<Input, Output>,
  directory: string,
  kind: "env" | "status"
): ReadonlyArray<Operation<Input, Output>> =>
  Fs.readdirSync(directory)
    .filter((name) => name.endsWith(`.${kind}`))
    .flatMap((name) => Result.getOrThrow(parse(codec, Fs.readFileSync(Path.join(directory, name), "utf8"))))
