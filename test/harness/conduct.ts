// Lets two sessions take turns, one statement at a time. Whether a statement waits for a lock is asked of the server while
// nothing else moves; nothing is guessed from time.

import { Deferred, Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { GatedSession } from "./gatedSession.ts"
import type { Choose } from "./scheduleTree.ts"

/** One of the two sessions, and the operation in it. */
export type Name = "A" | "B"

/** Both. */
export const names: ReadonlyArray<Name> = ["A", "B"]

/** Who can go on, and who waits for a lock of the other. */
interface Settled {
  readonly ready: ReadonlyArray<Name>
  readonly blocked: ReadonlyArray<Name>
}

const isBlockedRow = (row: object | undefined, name: Name): boolean =>
  Object.entries(row ?? {}).some(([key, value]) => key === name && value === true)

/** A statement that waits for no lock is answered within that time, as a rule, and nobody has to be asked about it. */
const soonAnswered = "2 millis"

/**
 * Waits until each session has a statement to send, waits for a lock of the other, or is over. Locks are looked at while
 * no state changes: one that is held then is held until somebody is let go. Two that wait for each other are resolved by
 * the server.
 */
export const settling = Effect.fnUntraced(function* (
  monitor: SqlClient.SqlClient,
  { A, B }: Readonly<Record<Name, GatedSession>>
) {
  const pidOf = ({ sql }: GatedSession) =>
    Effect.map(sql<{ readonly pid: number }>`select pg_backend_pid() as pid`, ([row]) => row?.pid ?? 0)
  const [a, b] = [yield* pidOf(A), yield* pidOf(B)]
  const locks = monitor`select ${b}::int = any (pg_blocking_pids(${a}::int)) as "A",
    ${a}::int = any (pg_blocking_pids(${b}::int)) as "B"`

  const look = Effect.suspend(() => {
    const before = { A: A.state(), B: B.state() }
    const change = Effect.raceFirst(Deferred.await(A.changed()), Deferred.await(B.changed()))
    const are = (...tags: ReadonlyArray<string>) => names.filter((name) => tags.includes(before[name]._tag))
    const [ready, over, sent] = [are("Waiting"), are("Idle"), are("Sent")]
    if (ready.length + over.length === names.length) return Effect.succeed({ ready, blocked: [] })
    if (ready.length + over.length + sent.length < names.length) return Effect.as(change, undefined)
    return Effect.gen(function* () {
      yield* Effect.raceFirst(change, Effect.sleep(soonAnswered))
      if (before.A !== A.state() || before.B !== B.state()) return undefined
      const [row] = yield* locks
      const isStill = before.A === A.state() && before.B === B.state()
      const areBlocked = isStill && sent.every((name) => isBlockedRow(row, name))
      return areBlocked && ready.length > 0 ? { ready, blocked: sent } : undefined
    })
  })
  return Effect.gen(function* () {
    let settled: Settled | undefined
    while (settled === undefined) settled = yield* look
    return settled
  })
})

/** Lets one statement go after the other until both are over, and notes what happened. */
export const conduct = Effect.fnUntraced(function* (
  sessions: Readonly<Record<Name, GatedSession>>,
  settled: Effect.Effect<Settled, SqlError.SqlError>,
  choose: Choose<Name>
) {
  const steps: Array<string> = []
  let schedule = ""
  let waits: ReadonlyArray<Name> = []
  const stuck = Effect.suspend(() => Effect.die(new Error(`nothing goes on after\n${steps.join("\n")}`)))
  while (true) {
    const { blocked, ready } = yield* Effect.timeoutOrElse(settled, { duration: "15 seconds", orElse: () => stuck })
    for (const name of waits) if (!blocked.includes(name)) steps.push(`${name}  goes on`)
    for (const name of blocked) if (!waits.includes(name)) steps.push(`${name}  waits for a lock`)
    waits = blocked
    const [first, second] = ready
    if (first === undefined) return { schedule, steps }
    const next = second === undefined ? first : choose([first, second])
    if (second !== undefined) schedule += next
    const state = sessions[next].state()
    steps.push(`${next}  ${state._tag === "Waiting" ? brief(state.statement) : ""}`)
    yield* sessions[next].letGo
  }
})

const brief = (statement: string): string => statement.replaceAll(/\s+/g, " ").trim().slice(0, 90)
