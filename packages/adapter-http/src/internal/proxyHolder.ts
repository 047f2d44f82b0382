// Holds the router for all replicas, or waits for it. The lease counts from before each renewal was sent, on the
// monotonic clock: when it may be over, nothing is reported any more. The ports are given up when the store says that
// somebody else holds the router, and not while it cannot be asked: Apps go on serving when the database is away, and two
// replicas of one host cannot listen on one port anyway.
import type { Fence, LeaseTerms, ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Leases } from "@lockkeeper/core/port/Leases"
import { RouteVersion } from "@lockkeeper/core/domain/Route"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { type Cause, Clock, Duration, Effect, Exit } from "effect"
import type { ListenerOptions } from "./proxyListener.ts"
import type { Signal } from "./proxySignal.ts"
import { makeTable, type Table } from "./proxyTable.ts"

/** What a holder works with. */
export interface HolderOptions extends Pick<ListenerOptions, "host" | "limits"> {
  readonly replica: ReplicaId
  readonly terms: LeaseTerms
  readonly pollEvery: Duration.Duration
  readonly drainTimeout: Duration.Duration
  /** There may be something to carry out. */
  readonly wake: Signal
  /** Something was reported. */
  readonly reported: Signal
}

const leaseName = "router"

// The sockets of a holder that died may linger this long; requests in flight have this long when the router is given up.
const lingering = 3_000
const grace = 1_000

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

const warn = (what: string) => (cause: Cause.Cause<unknown>) => Effect.logWarning(what, cause)

const makeLog = Effect.map(Effect.context<never>(), (context) => {
  const fork = Effect.runForkWith(context)
  return {
    onProblem: (port: number, code: string, cause: unknown) =>
      void fork(Effect.logDebug("the proxy answered by itself", { port, code, cause })),
    onError: (port: number, cause: unknown) => void fork(Effect.logWarning("a port is not served", { port, cause }))
  }
})

/** Takes the router whenever it is free and carries out routes while this replica holds it. Never ends by itself. */
export const hold = Effect.fnUntraced(function* (
  options: HolderOptions
): Effect.fn.Return<never, never, RouteStore | Leases> {
  const { replica, terms, pollEvery, wake, reported } = options
  const ttl = Duration.toMillis(terms.ttl)
  const store = yield* RouteStore
  const leases = yield* Leases
  const log = yield* makeLog

  const acquire = leases.acquire(leaseName, replica, terms.ttl).pipe(Effect.timeout(terms.ttl))

  const release = leases
    .release(leaseName, replica)
    .pipe(
      Effect.timeout(grace),
      Effect.catchCause(warn("the router was not given back and is free when its lease is over"))
    )

  const tenure = Effect.fnUntraced(function* (fence: Fence, sentAt: number) {
    let until = sentAt + ttl

    const renewed: Effect.Effect<void> = Effect.gen(function* () {
      while (true) {
        yield* Effect.sleep(terms.renewEvery)
        const sentAt = yield* monotonicMillis
        const answer = yield* Effect.exit(acquire)
        if (Exit.isFailure(answer)) yield* warn("the router's lease was not renewed")(answer.cause)
        else if (answer.value !== fence) return
        else until = sentAt + ttl
      }
    })

    const carriedOut = (table: Table): Effect.Effect<never> => {
      let seen = RouteVersion.make(0)
      let isAway = false

      const learn = Effect.gen(function* () {
        for (const row of yield* store.since(seen)) {
          table.want(row)
          seen = row.version
        }
        isAway = false
      })

      // Said once for each time that the store is away, however often it is asked.
      const notLearned = (cause: Cause.Cause<unknown>) =>
        Effect.suspend(() => {
          const isNew = !isAway
          isAway = true
          return isNew ? warn("routes cannot be read; traffic goes on as it does")(cause) : Effect.void
        })

      const tell = Effect.gen(function* () {
        for (const report of table.reports()) {
          if ((yield* monotonicMillis) >= until) return
          yield* store.report(report.row.app, report.row.version, report.progress)
          table.told(report)
          reported.notify()
        }
      })

      return Effect.gen(function* () {
        while (true) {
          const woken = wake.next()
          yield* Effect.catchCause(learn, notLearned)
          yield* table.carryOut(yield* monotonicMillis)
          yield* Effect.catchCause(tell, warn("a route could not be reported"))
          yield* Effect.raceFirst(woken, Effect.sleep(pollEvery))
        }
      })
    }

    const opened = Effect.map(monotonicMillis, (now) =>
      makeTable({
        ...log,
        host: options.host,
        limits: options.limits,
        drainTimeout: Duration.toMillis(options.drainTimeout),
        conflictsFrom: now + lingering,
        onChange: wake.notify
      })
    )

    yield* Effect.logInfo("this replica holds the router", { fence })
    // The ports are freed before anything that may still hang in the store is waited for, and the router is given back
    // before the requests in flight are, so that another replica serves meanwhile.
    yield* Effect.acquireUseRelease(
      opened,
      (table) =>
        Effect.raceFirst(
          carriedOut(table),
          Effect.onExit(renewed, () => Effect.sync(() => table.free()))
        ),
      (table) => Effect.all([table.close(grace), release], { concurrency: "unbounded", discard: true })
    )
    yield* Effect.logWarning("this replica lost the router", { fence })
  })

  const attempt = Effect.gen(function* () {
    const sentAt = yield* monotonicMillis
    const fence = yield* acquire
    if (fence !== undefined) yield* tenure(fence, sentAt)
    yield* Effect.sleep(pollEvery)
  })

  return yield* attempt.pipe(
    Effect.catchCause((cause) =>
      Effect.andThen(warn("the router could not be held")(cause), Effect.sleep(terms.renewEvery))
    ),
    Effect.forever,
    Effect.onExit(() => release)
  )
})
