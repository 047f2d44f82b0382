// What the replica that holds the router has open: for each App its listener, where that leads, and how far the newest
// version of its route is carried out. It decides nothing about who holds the router, and reports to nobody.
import type { AppId } from "@lockkeeper/core/domain/App"
import type { RouteProgress, RouteState } from "@lockkeeper/core/domain/Route"
import { Effect, Result } from "effect"
import { type Listener, type ListenerOptions, listen } from "./proxyListener.ts"
import { isSameAddress, makeTarget, type Target } from "./proxyTarget.ts"

/** What a table works with. Times are milliseconds of one monotonic clock. */
export interface TableOptions extends ListenerOptions {
  readonly drainTimeout: number
  /** Until when a port in use may still be the one of the last holder. */
  readonly conflictsFrom: number
}

/** How far the newest version of a route is carried out, where that is not what the store was told last. */
interface Report {
  readonly row: RouteState
  readonly progress: RouteProgress
}

interface Entry {
  row: RouteState
  progress: RouteProgress
  reported: RouteProgress
  open: { readonly listener: Listener; target: Target } | undefined
  tries: number
  tryAt: number
  readonly leaving: Map<Target, number>
  readonly closing: Map<Listener, number>
}

/** The routes that this replica carries out. */
export interface Table {
  /** Takes over what is wanted for an App. */
  readonly want: (row: RouteState) => void
  /** Opens, switches and closes what can be by now. */
  readonly carryOut: (now: number) => Effect.Effect<void>
  /** What the store does not know yet. */
  readonly reports: () => ReadonlyArray<Report>
  /** Remembers that the store knows. */
  readonly told: (report: Report) => void
  /** Frees all ports at once, for good. */
  readonly free: () => void
  /** Frees all ports; requests in flight have the grace, then every connection ends. */
  readonly close: (grace: number) => Effect.Effect<void>
}

const slowestTry = 2_000

/** Makes an empty table. */
export const makeTable = (options: TableOptions): Table => {
  const entries = new Map<AppId, Entry>()
  let isFreed = false

  const want = (row: RouteState): void => {
    const entry = entries.get(row.app)
    if (entry === undefined) {
      if (row.address === null && row.progress === "drained") return
      const fresh = { open: undefined, tries: 0, tryAt: 0, leaving: new Map(), closing: new Map() }
      entries.set(row.app, { row, progress: "wanted", reported: row.progress, ...fresh })
      return
    }
    Object.assign(entry, { row, progress: "wanted", reported: row.progress, tries: 0, tryAt: 0 })
  }

  const close = (entry: Entry, now: number): void => {
    if (entry.open === undefined) return
    const { listener } = entry.open
    entry.open = undefined
    listener.close()
    if (!listener.isClosed()) entry.closing.set(listener, now + options.drainTimeout)
  }

  const open = Effect.fnUntraced(function* (entry: Entry, target: Target, now: number) {
    const opened = yield* Effect.result(listen(entry.row.hostPort, target, options))
    if (Result.isSuccess(opened)) {
      if (isFreed) return opened.success.close()
      entry.open = { listener: opened.success, target }
      entry.progress = "applied"
      return
    }
    target.retire()
    entry.tries++
    if (now < options.conflictsFrom) return
    entry.tryAt = now + Math.min(slowestTry, 100 * 2 ** entry.tries)
    if (entry.progress !== "port_conflict") options.onError(entry.row.hostPort, opened.failure.cause)
    entry.progress = "port_conflict"
  })

  const lead = (entry: Entry, now: number): void => {
    const { address } = entry.row
    if (entry.open === undefined || address === null) return
    if (!isSameAddress(entry.open.target.address, address)) {
      const target = makeTarget(address, options.onChange)
      entry.leaving.set(entry.open.listener.lead(target), now + options.drainTimeout)
      entry.open.target = target
    }
    entry.progress = "applied"
  }

  const drain = (entry: Entry, now: number): void => {
    const current = entry.open?.target.address
    for (const [target, until] of entry.leaving) {
      const isBack = current !== undefined && isSameAddress(target.address, current)
      if (isBack || target.isIdle() || until <= now) entry.leaving.delete(target)
    }
    for (const [listener, until] of entry.closing) {
      if (until <= now) listener.destroy()
      if (until <= now || listener.isClosed()) entry.closing.delete(listener)
    }
    if (entry.progress === "applied" && entry.leaving.size + entry.closing.size === 0) entry.progress = "drained"
  }

  const step = Effect.fnUntraced(function* (entry: Entry, now: number) {
    const { address, hostPort } = entry.row
    if (address === null || (entry.open !== undefined && entry.open.listener.port !== hostPort)) close(entry, now)
    if (address === null) {
      if (entry.progress === "wanted") entry.progress = "applied"
    } else if (entry.open !== undefined) {
      if (entry.progress === "wanted") lead(entry, now)
    } else if (entry.tryAt <= now) {
      yield* open(entry, makeTarget(address, options.onChange), now)
    }
    drain(entry, now)
  })

  const listeners = (): ReadonlyArray<Listener> =>
    [...entries.values()].flatMap(({ open, closing }) => [
      ...(open === undefined ? [] : [open.listener]),
      ...closing.keys()
    ])

  const free = (): void => {
    isFreed = true
    for (const listener of listeners()) listener.close()
  }

  return {
    want,
    carryOut: (now) =>
      Effect.forEach(
        [...entries.values()].filter(({ progress }) => progress !== "drained"),
        (entry) => (isFreed ? Effect.void : step(entry, now)),
        { discard: true }
      ),
    reports: () =>
      [...entries.values()].flatMap(({ row, progress, reported }) =>
        progress === "wanted" || progress === reported ? [] : [{ row, progress }]
      ),
    told: ({ row, progress }) => {
      const entry = entries.get(row.app)
      if (entry?.row.version !== row.version) return
      entry.reported = progress
      if (row.address === null && progress === "drained") entries.delete(row.app)
    },
    free,
    close: (grace) =>
      Effect.suspend(() => {
        free()
        const all = listeners()
        const allClosed = Effect.forEach(all, (listener) => listener.closed, { discard: true })
        return Effect.raceFirst(allClosed, Effect.sleep(grace)).pipe(
          Effect.ensuring(Effect.sync(() => all.forEach((listener) => listener.destroy())))
        )
      })
  }
}
