// graphile-worker as a queue: a named queue for each group, whose Jobs run one after the other. Its workers look again at once
// after each Job, and after a while when there was nothing.

import { Effect, Redacted } from "effect"
import { Logger, run as start } from "graphile-worker"
import { setTimeout as sleep } from "node:timers/promises"
import { connections, idleMillis, type Queue, type Run, workers, workMillis } from "./Queue.ts"

const groupIn = (payload: unknown): number => {
  if (typeof payload !== "object" || payload === null || !("group" in payload)) return 0
  return Number(payload.group)
}

/** Starts it, with its workers, which wait for Jobs. */
export const graphile = Effect.fnUntraced(function* (url: Redacted.Redacted<string>) {
  const present: { run: Run | undefined } = { run: undefined }
  const task = async (payload: unknown): Promise<void> => {
    const group = groupIn(payload)
    present.run?.begin(group)
    await sleep(workMillis)
    present.run?.end(group)
  }
  const runner = yield* Effect.acquireRelease(
    Effect.promise(() =>
      start({
        connectionString: Redacted.value(url),
        maxPoolSize: connections,
        concurrency: workers,
        pollInterval: idleMillis,
        noHandleSignals: true,
        logger: new Logger(() => () => {}),
        taskList: { task }
      })
    ),
    (runner) => Effect.promise(() => runner.stop())
  )
  const ask = (group: number) =>
    Effect.promise(async () => {
      await runner.addJob("task", { group }, { queueName: `group-${group}` })
    })
  const work = (run: Run) =>
    Effect.suspend(() => {
      present.run = run
      return Effect.promise(() => run.done)
    })
  return { ask, work } satisfies Queue<never, never>
})
