// Who waits to change which Env, and when it is their turn: a change is sent at once when none of its App is under way, and
// joins the next batch while one is. One flush at a time carries the Apps that nobody else writes; an App that has to be
// read first, or that others write too, goes its own way. Not here: how a batch is written (envWriting.ts).

import type { AppId } from "@lockkeeper/core/domain/App"
import { Failpoints } from "@lockkeeper/core/port/failpoint"
import { EnvBusy } from "@lockkeeper/core/port/EnvStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Cause, Context, Effect, Exit, Fiber, type Scope } from "effect"
import { type Batch, batched, type Pending, type Refusal } from "./envBatch.ts"
import type { Now } from "./monotonic.ts"
import type { Loaded } from "./sealedEnvs.ts"

/** The changes of one App that wait, and what is known of its Env. */
export interface Line {
  readonly app: AppId
  waiting: Array<Pending>
  isBusy: boolean
  /** The Env as it was when this process last wrote or read it. */
  loaded: Loaded | undefined
  /** For how many batches more the App is taken for one that others write too: those hold its row before they decide. */
  meetings: number
  /** What works on this line alone. */
  worker: Fiber.Fiber<void> | undefined
  /** What was sent and has no outcome yet; more than one where nobody knows the outcome of the earlier ones. */
  sent: Array<Batch>
}

/** How batches are written. None of these fails: they tell or refuse the changes of the lines that they are given. */
export interface EnvWriting {
  /** Reads an Env of which nothing is known. */
  readonly load: (line: Line) => Effect.Effect<void>
  /** Writes a batch of each line, where the Env is the known one and nobody holds its App. */
  readonly writeFree: (lines: ReadonlyArray<Line>) => Effect.Effect<void>
  /** Writes a batch of a line with the App's row held. */
  readonly writeHeld: (line: Line) => Effect.Effect<void>
}

/** Takes changes. */
export interface EnvLines {
  readonly join: (app: AppId, pending: Pending, context: Context.Context<never>) => void
  /** Takes a change out that was not sent yet. Nobody's row is waited for any more where it was the last one. */
  readonly withdraw: (app: AppId, pending: Pending) => Effect.Effect<void>
}

/** The most changes that one App has waiting, that one flush begins with, and the most Envs that are kept in memory. */
const limits = { waiting: 8_192, flush: 1_024, lines: 1_024 }

const closed = new StoreError({
  operation: "EnvStore.revise",
  reason: "unavailable",
  cause: new Error("it was closed")
})

const newLine = (app: AppId): Line => ({
  app,
  waiting: [],
  isBusy: false,
  loaded: undefined,
  meetings: 0,
  worker: undefined,
  sent: []
})

const defect = (cause: Cause.Cause<never>): StoreError =>
  new StoreError({ operation: "EnvStore.revise", reason: "unexpected", cause: Cause.squash(cause) })

/** Takes a batch from the head of a line: what was sent without an outcome goes first. */
export const take = (line: Line, present: Loaded): Batch => {
  const again = openOf(line.sent)
  const batch = batched(present, [...again, ...line.waiting])
  line.waiting.splice(0, Math.max(0, batch.pending.length - again.length))
  for (const pending of batch.pending) pending.status = "sent"
  line.sent.push(batch)
  return batch
}

/**
 * Puts changes of the last batches back to the head of their line: those batches are not written. What earlier ones hold
 * too stays with them.
 */
export const giveBack = (line: Line, earlier = 0): void => {
  const dropped = line.sent.splice(earlier)
  const kept = new Set(openOf(line.sent))
  const back = openOf(dropped).filter((pending) => !kept.has(pending))
  for (const pending of back) pending.status = "waiting"
  line.waiting.unshift(...back)
}

/** Refuses everything that waits or was sent. */
export const refuseAll = (line: Line, error: Refusal): void => {
  const all = [...openOf(line.sent), ...line.waiting]
  line.sent = []
  line.waiting = []
  for (const pending of all) pending.refuse(error)
}

/** Refuses what waits for too long. */
export const expire = (line: Line, now: number): void => {
  if (line.waiting.every(({ until }) => until > now)) return
  const late = line.waiting.filter(({ until }) => until <= now)
  line.waiting = line.waiting.filter(({ until }) => until > now)
  for (const pending of late) pending.refuse(new EnvBusy({ app: line.app }))
}

/** The changes of batches that have no outcome yet, each once. */
export const openOf = (batches: ReadonlyArray<Batch>): ReadonlyArray<Pending> => [
  ...new Set(batches.flatMap(({ pending }) => pending).filter(({ status }) => status === "sent"))
]

/** Makes the lines; they end with the Scope, which refuses what waits then. */
export const envLines = Effect.fnUntraced(function* (
  writing: EnvWriting,
  now: Now
): Effect.fn.Return<EnvLines, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const lines = new Map<AppId, Line>()
  const free = new Set<Line>()
  const queued = new Set<Line>()
  const fibers = new Set<Fiber.Fiber<void>>()
  let [isFlushing, isSweeping, isClosed] = [false, false, false]

  const run = (effect: Effect.Effect<void>, asker: Context.Context<never>): Fiber.Fiber<void> => {
    const fiber = Effect.runForkWith(Context.add(context, Failpoints, Context.get(asker, Failpoints)))(effect)
    fibers.add(fiber)
    fiber.addObserver(() => fibers.delete(fiber))
    return fiber
  }

  const lineOf = (app: AppId): Line => {
    const known = lines.get(app)
    const line = known ?? newLine(app)
    if (known === undefined) forget()
    lines.delete(app)
    lines.set(app, line)
    return line
  }

  /** Forgets the Env that was not changed for the longest time, where there are too many. */
  const forget = (): void => {
    if (lines.size < limits.lines) return
    for (const line of lines.values()) {
      if (line.isBusy || line.waiting.length > 0) continue
      lines.delete(line.app)
      return
    }
  }

  const route = (line: Line, asker: Context.Context<never>): void => {
    if (line.isBusy) return
    if (line.waiting.length + line.sent.length === 0) return void queued.delete(line)
    if (line.sent.length > 0 || line.meetings > 0) return alone(line, writing.writeHeld, asker)
    if (line.loaded === undefined) return alone(line, writing.load, asker)
    free.add(line)
    flush(asker)
  }

  const alone = (line: Line, work: (line: Line) => Effect.Effect<void>, asker: Context.Context<never>): void => {
    line.isBusy = true
    const worker = run(ended([line], work(line), asker), asker)
    if (line.isBusy) line.worker = worker
  }

  const flush = (asker: Context.Context<never>): void => {
    if (isFlushing || free.size === 0) return
    isFlushing = true
    const flushed: Array<Line> = []
    let count = 0
    for (const line of free) {
      if (count >= limits.flush) break
      count += line.waiting.length
      line.isBusy = true
      flushed.push(line)
    }
    flushed.forEach((line) => free.delete(line))
    const next = Effect.sync(() => {
      isFlushing = false
      flush(asker)
    })
    run(
      Effect.onExit(ended(flushed, writing.writeFree(flushed), asker), () => next),
      asker
    )
  }

  /** Goes on with lines when their work is done. Whoever was told has come back by then, where it had more to change. */
  const ended = (worked: ReadonlyArray<Line>, work: Effect.Effect<void>, asker: Context.Context<never>) =>
    work.pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          for (const line of worked) {
            line.isBusy = false
            line.worker = undefined
            if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) refuseAll(line, defect(exit.cause))
            if (!isClosed) route(line, asker)
          }
        })
      )
    )

  const sweep = Effect.gen(function* () {
    while (queued.size > 0) {
      yield* Effect.sleep("50 millis")
      const time = now()
      for (const line of queued) {
        expire(line, time)
        if (line.waiting.length === 0) queued.delete(line)
      }
    }
    isSweeping = false
  })

  const join: EnvLines["join"] = (app, pending, asker) => {
    if (isClosed) return pending.refuse(closed)
    const line = lineOf(app)
    if (line.waiting.length >= limits.waiting) return pending.refuse(new EnvBusy({ app }))
    line.waiting.push(pending)
    queued.add(line)
    if (!isSweeping) {
      isSweeping = true
      run(sweep, asker)
    }
    route(line, asker)
  }

  const withdraw: EnvLines["withdraw"] = (app, pending) =>
    Effect.suspend(() => {
      const line = lines.get(app)
      if (line === undefined) return Effect.void
      line.waiting = line.waiting.filter((other) => other !== pending)
      const isLast = line.waiting.length + openOf(line.sent).length === 0
      return isLast && line.worker !== undefined ? Fiber.interrupt(line.worker) : Effect.void
    })

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      return Effect.andThen(
        Fiber.interruptAll([...fibers]),
        Effect.sync(() => lines.forEach((line) => refuseAll(line, closed)))
      )
    })
  )

  return { join, withdraw }
})
