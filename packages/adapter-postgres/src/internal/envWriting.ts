// How batches of changes are written. Where this process knows an Env, and nobody else writes it, one statement carries the
// batches of many Apps and is guarded by their Revisions. Else the App's row is held first, and what was sent without an
// answer is looked up by its operation, never guessed.

import type { AppId } from "@lockkeeper/core/domain/App"
import { AppGone, AppNotLive } from "@lockkeeper/core/port/AppStore"
import { isChangeable } from "@lockkeeper/core/port/EnvStore"
import type { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Result, Semaphore } from "effect"
import type { Database } from "./Database.ts"
import type { Batch } from "./envBatch.ts"
import { type EnvWriting, expire, giveBack, type Line, openOf, refuseAll, take } from "./envLines.ts"
import { envRows, type SealedBatch } from "./envRows.ts"
import { isBusy, isWithoutEffect } from "./faults.ts"
import type { Now } from "./monotonic.ts"
import { type Loaded, type SealedPart, sealedEnvs } from "./sealedEnvs.ts"

const operation = "EnvStore.revise"

/** How long a flush waits for its answer. It waits for nobody's lock, so it leaves time to find out what became of it. */
const flushLimit = Duration.seconds(2)

/**
 * How many Apps try to get their rows at once, and how many wait for long for one that somebody keeps. Each has a connection
 * of the pool. They are apart, so that Apps whose rows are kept are not in the way of those whose rows others only touch.
 */
const holders = { passing: 4, waiting: 3 }

/** How long a row may be held by somebody else who only writes it, too. */
const passing = Duration.millis(100)

/**
 * How long a batch waits for a connection and a row at least, in milliseconds. What waits is refused when its time is over
 * in any case; with less, who came last would be told that the database is away, because no connection is free at once.
 */
const shortestWait = 500

/** For how many batches an App that somebody else wrote is taken for one that they write all the time. */
const meetings = 16

/** The whole Env is written again when reading the changes after it would take longer than reading it. */
const isLong = ({ changeBytes, changeCount, wholeBytes }: Loaded): boolean =>
  changeCount >= 256 || changeBytes > Math.max(64 * 1024, wholeBytes)

const after = (loaded: Loaded, { batch, sealed, whole }: SealedBatch): Loaded =>
  whole === undefined
    ? {
        ...batch.next,
        wholeBytes: loaded.wholeBytes,
        changeBytes: loaded.changeBytes + sealed.byteLength,
        changeCount: loaded.changeCount + 1
      }
    : { ...batch.next, wholeBytes: whole.byteLength, changeBytes: 0, changeCount: 0 }

/** Whether the changes after a known Env are not all there any more: others made them, and they were swept since. */
const isSwept = (
  known: Loaded,
  row: { readonly revision: number; readonly changes: ReadonlyArray<SealedPart> }
): boolean => row.revision > known.revision && row.changes[0]?.first !== known.revision + 1

const unwritten = Effect.fail(
  new StoreError({ operation, reason: "unexpected", cause: new Error("the Env of a row that is held was not written") })
)

/** Nothing that is written now keeps out what was sent before and may still arrive. */
const unsettled = Effect.fail(
  new StoreError({ operation, reason: "unavailable", cause: new Error("what was sent may still be written") })
)

/** Builds how batches are written. */
export const envWriting = (db: Database, cipher: typeof SecretCipher.Service, now: Now): EnvWriting => {
  const rows = envRows(db)
  const envs = sealedEnvs(cipher)
  const permits = {
    passing: Semaphore.makeUnsafe(holders.passing),
    waiting: Semaphore.makeUnsafe(holders.waiting)
  }

  const loaded = Effect.fnUntraced(function* (app: AppId) {
    const { parts, revision, status } = yield* rows.parts(app, undefined)
    return { status, loaded: yield* envs.replay(app, revision, parts) }
  })

  const sealed = Effect.fnUntraced(function* (app: AppId, batch: Batch, present: Loaded) {
    const whole = isLong(present) ? yield* envs.sealWhole(app, batch.next) : undefined
    const written: SealedBatch = {
      app,
      batch,
      sealed: yield* envs.sealChanges(app, batch.next.revision, batch.changes),
      whole
    }
    return { written, next: after(present, written) }
  })

  /** What an earlier try carried, and this one had no room for, is sent with the next. */
  const done = (line: Line, batch: Batch, next: Loaded): void => {
    line.loaded = next
    batch.tell()
    giveBack(line)
  }

  const load = Effect.fnUntraced(function* (line: Line) {
    const { app } = line
    const read = yield* Effect.result(
      db.statement<Effect.Success<ReturnType<typeof loaded>>, AppGone>(operation, loaded(app), flushLimit)
    )
    if (Result.isFailure(read)) return refuseAll(line, read.failure)
    const { status } = read.success
    if (!isChangeable(status)) return refuseAll(line, new AppNotLive({ app, status }))
    line.loaded = read.success.loaded
  })

  const writeFree = Effect.fnUntraced(function* (lines: ReadonlyArray<Line>) {
    const taken = lines.flatMap((line) =>
      line.loaded === undefined || line.waiting.length === 0
        ? []
        : [{ line, present: line.loaded, batch: take(line, line.loaded) }]
    )
    const idle = taken.filter(({ batch }) => batch.changes.length === 0)
    const changing = yield* Effect.forEach(
      taken.filter(({ batch }) => batch.changes.length > 0),
      ({ batch, line, present }) =>
        Effect.map(sealed(line.app, batch, present), (ready) => ({ line, batch, ...ready })),
      { concurrency: "unbounded" }
    )
    yield* Effect.all([writeChanging(changing), confirm(idle)], { concurrency: 2, discard: true })
  })

  const writeChanging = Effect.fnUntraced(function* (
    changing: ReadonlyArray<{
      readonly line: Line
      readonly batch: Batch
      readonly written: SealedBatch
      readonly next: Loaded
    }>
  ) {
    if (changing.length === 0) return
    const write = rows.write(changing.map(({ written }) => written))
    const answer = yield* Effect.result(db.statement<ReadonlyArray<AppId>>(operation, write, flushLimit))
    const apps = new Set(Result.getOrElse(answer, (): ReadonlyArray<AppId> => []))
    const isKnown = Result.isSuccess(answer) || isWithoutEffect(answer.failure.cause)
    for (const { batch, line, next } of changing) {
      if (apps.has(line.app)) {
        done(line, batch, next)
        continue
      }
      line.meetings = Math.max(1, line.meetings)
      if (isKnown) giveBack(line)
      else line.loaded = undefined
    }
  })

  /** What changes nothing is told when the Env that it was decided on is the present one. */
  const confirm = Effect.fnUntraced(function* (
    idle: ReadonlyArray<{ readonly line: Line; readonly batch: Batch; readonly present: Loaded }>
  ) {
    if (idle.length === 0) return
    const read = yield* Effect.result(
      db.statement<Effect.Success<ReturnType<typeof rows.present>>>(
        operation,
        rows.present(idle.map(({ line }) => line.app)),
        flushLimit
      )
    )
    for (const { batch, line, present } of idle) {
      if (Result.isFailure(read)) {
        refuseAll(line, read.failure)
        continue
      }
      const found = read.success.find(({ id }) => id === line.app)
      if (found?.revision === present.revision && isChangeable(found.status)) {
        done(line, batch, present)
        continue
      }
      giveBack(line)
      line.loaded = undefined
    }
  })

  const writeHeld = Effect.fnUntraced(function* (line: Line) {
    while (openOf(line.sent).length + line.waiting.length > 0) {
      const error = yield* attempt(line)
      if (error === undefined) return
      const time = now()
      expire(line, time)
      for (const pending of openOf(line.sent)) if (pending.until <= time) pending.refuse(error)
      if (openOf(line.sent).length === 0) line.sent = []
      yield* Effect.sleep("20 millis")
    }
  })

  const attempt = Effect.fnUntraced(function* (line: Line) {
    const held = (locks?: Duration.Duration) =>
      Effect.suspend(() =>
        openOf(line.sent).length + line.waiting.length > 0 ? heldOnce(line, locks) : Effect.undefined
      )
    if (line.sent.length > 0) return yield* held()
    const error = yield* permits.passing.withPermit(held(passing))
    return error !== undefined && isBusy(error.cause) ? yield* permits.waiting.withPermit(held()) : error
  })

  /** Writes a batch under the App's row; answers what went wrong where it may be tried again. */
  const heldOnce = Effect.fnUntraced(function* (line: Line, locks?: Duration.Duration) {
    const { app } = line
    const pending = [...openOf(line.sent), ...line.waiting]
    const before = line.sent.length
    const least = before === 0 ? shortestWait : 1
    const wait = Math.max(least, ...pending.map(({ until }) => until - now()))
    let isWriting = false

    const body = Effect.fnUntraced(function* (lockTimeout: string) {
      const row = yield* rows.hold(app, line.loaded?.revision, lockTimeout)
      const known = yield* rows.written(app, line.sent)
      known?.tell()
      if (row === undefined || row.status === "deleted") return yield* new AppGone({ app })
      if (!isChangeable(row.status)) return yield* new AppNotLive({ app, status: row.status })
      const isMet = line.loaded?.revision !== row.revision
      const present =
        line.loaded === undefined || isSwept(line.loaded, row)
          ? (yield* loaded(app)).loaded
          : yield* envs.replay(app, row.revision, row.changes, line.loaded)
      const batch = take(line, present)
      if (batch.changes.length === 0) {
        const mayArrive = line.sent.slice(0, before).some(({ base }) => base.revision === row.revision)
        return mayArrive ? yield* unsettled : { batch, isMet, next: present }
      }
      const { next, written } = yield* sealed(app, batch, present)
      isWriting = true
      const apps = yield* rows.write([written])
      return apps.length === 1 ? { batch, isMet, next } : yield* unwritten
    })

    const outcome = yield* Effect.result(
      db.transaction<Effect.Success<ReturnType<typeof body>>, AppGone | AppNotLive>(
        operation,
        body,
        Duration.millis(wait),
        locks
      )
    )
    if (Result.isSuccess(outcome)) {
      const { batch, isMet, next } = outcome.success
      line.meetings = isMet ? meetings : Math.max(0, line.meetings - 1)
      done(line, batch, next)
      return undefined
    }
    const error = outcome.failure
    line.loaded = undefined
    if (!(error instanceof StoreError)) return void refuseAll(line, error)
    if (isWriting && !isWithoutEffect(error.cause)) return error
    giveBack(line, before)
    if (isBusy(error.cause) || before > 0) return error
    return void refuseAll(line, error)
  })

  return { load, writeFree, writeHeld }
}
