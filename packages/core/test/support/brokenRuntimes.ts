// Runtimes, and what keeps account of them, that make the mistakes their contracts exist for.

import { DateTime, Effect } from "effect"
import type { CommandSpec, WorkloadSpec } from "../../src/port/ContainerRuntime.ts"
import { ContainerRuntime } from "../../src/port/ContainerRuntime.ts"
import { Journal } from "../../src/port/Journal.ts"
import { type LogName, LogStore } from "../../src/port/LogStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { makeContainerRuntimeContract } from "../../src/testing/ContainerRuntimeContract.ts"
import { JournalContract } from "../../src/testing/JournalContract.ts"
import { LogStoreContract } from "../../src/testing/LogStoreContract.ts"
import { altered, type Broken } from "./Broken.ts"
import { memoryTree } from "./layerMemory.ts"

const RuntimeContract = makeContainerRuntimeContract(memoryTree)

/** Broken runtimes, journals and logs of what runs. */
export const brokenRuntimes: ReadonlyArray<Broken> = [
  {
    what: "a Journal that knows every name that it has ever heard",
    contract: JournalContract,
    violates: ["INV-7"],
    layer: altered(
      Journal,
      Effect.fnUntraced(function* (original) {
        const { intents } = yield* MemoryState
        return { ...original, unknown: (names) => Effect.sync(() => names.filter((name) => !intents.has(name))) }
      })
    )
  },
  {
    what: "a LogStore that stores its own time in place of that of the line",
    contract: LogStoreContract,
    violates: ["X1"],
    layer: altered(LogStore, (original) =>
      Effect.succeed({
        ...original,
        append: (log, entries) =>
          original.append(
            log,
            entries.map(({ line, stream }) => ({ stream, line }))
          )
      })
    )
  },
  {
    what: "a LogStore whose cursor is behind one line of its time only",
    contract: LogStoreContract,
    violates: ["X1"],
    layer: altered(
      LogStore,
      Effect.fnUntraced(function* (original) {
        const { logs } = yield* MemoryState
        const cursor = (log: LogName) =>
          Effect.sync(() => {
            const last = logs.get(log)?.lines.findLast(({ stream }) => stream === "stdout" || stream === "stderr")
            return last === undefined ? undefined : { at: DateTime.toUtc(last.at), lines: 1 }
          })
        return { ...original, cursor }
      })
    )
  },
  {
    what: "a ContainerRuntime that keeps what a command ran in",
    contract: RuntimeContract,
    violates: ["ContainerRuntime-5"],
    layer: altered(
      ContainerRuntime,
      Effect.fnUntraced(function* (original) {
        const left = new Set<WorkloadSpec["name"]>()
        const run = (spec: CommandSpec, say: Parameters<typeof original.run>[1]) =>
          Effect.tap(original.run(spec, say), () => Effect.sync(() => left.add(spec.name)))
        return { ...original, run, owned: Effect.map(original.owned, (names) => [...names, ...left]) }
      })
    )
  },
  {
    what: "a ContainerRuntime that leaves a name behind when it cannot start",
    contract: RuntimeContract,
    violates: ["INV-9"],
    layer: altered(
      ContainerRuntime,
      Effect.fnUntraced(function* (original) {
        const left = new Set<WorkloadSpec["name"]>()
        const start = (spec: WorkloadSpec) =>
          Effect.tapError(original.start(spec), () => Effect.sync(() => left.add(spec.name)))
        return { ...original, start, owned: Effect.map(original.owned, (names) => [...names, ...left]) }
      })
    )
  },
  {
    what: "a ContainerRuntime that stops only what it knows the id of",
    contract: RuntimeContract,
    violates: ["H29"],
    layer: altered(ContainerRuntime, (original) =>
      Effect.succeed({
        ...original,
        stop: (name, id) => (id === undefined ? Effect.void : original.stop(name, id))
      })
    )
  }
]
