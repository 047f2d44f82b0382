// pg-boss as a queue: a group for each group, with `groupConcurrency` as its cap. Its own workers wait half a second at least
// between two Jobs, so these here fetch again at once, and after two milliseconds when there was nothing.

import { Effect, Redacted } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { PgBoss } from "pg-boss"
import { connections, idleMillis, type Queue, type Run, workers, workMillis } from "./Queue.ts"

interface Input {
  readonly group: number
}

const begunIn = async (url: string, name: string): Promise<PgBoss> => {
  const boss = new PgBoss({
    connectionString: url,
    max: connections,
    supervise: false,
    schedule: false,
    useListenNotify: false
  })
  boss.on("error", (cause) => void console.error(cause))
  await boss.start()
  await boss.createQueue(name)
  return boss
}

/** Starts it. Each worker fetches so many Jobs at once, does them at once and completes them together. */
export const pgBoss = Effect.fnUntraced(function* (
  url: Redacted.Redacted<string>,
  name: string,
  cap: number,
  batchSize: number
) {
  const boss = yield* Effect.acquireRelease(
    Effect.promise(() => begunIn(Redacted.value(url), name)),
    (boss) => Effect.promise(() => boss.stop({ graceful: false }))
  )

  const carriedOut = async ({ group }: Input, run: Run): Promise<void> => {
    run.begin(group)
    await sleep(workMillis)
    run.end(group)
  }

  const working = async (run: Run): Promise<void> => {
    while (!run.isDone()) {
      const jobs = await boss.fetch<Input>(name, { batchSize, groupConcurrency: cap })
      if (jobs.length === 0) {
        await sleep(idleMillis)
        continue
      }
      await Promise.all(jobs.map(({ data }) => carriedOut(data, run)))
      await boss.complete(
        name,
        jobs.map(({ id }) => id)
      )
    }
  }

  const ask = (group: number) =>
    Effect.promise(async () => {
      await boss.send(name, { group }, { group: { id: String(group) } })
    })
  const work = (run: Run) =>
    Effect.promise(async () => {
      await Promise.all(Array.from({ length: workers }, () => working(run)))
    })
  return { ask, work } satisfies Queue<never, never>
})
