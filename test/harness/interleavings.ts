// Runs two operations in two sessions of a real PostgreSQL in every order in which their statements can be sent, and
// compares what comes of each with what comes of one after the other. Whether a statement waits for a lock is asked of
// the server; nothing is guessed from time.

import { type Context, Effect, Fiber, Layer, type Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { TestDatabase } from "./database.ts"
import { conduct, type Name, names, settling } from "./conduct.ts"
import { type GatedSession, gatedSession, type Rewrite } from "./gatedSession.ts"
import { answerOf, outcomeText } from "./outcome.ts"
import { type Choose, scheduleTree } from "./scheduleTree.ts"

/** Two operations that meet. Each run has what is `given` anew, so that runs are independent of each other. */
export interface Meeting<G, R> {
  readonly given: Effect.Effect<G, unknown, R>
  readonly a: (given: G) => Effect.Effect<unknown, unknown, R>
  readonly b: (given: G) => Effect.Effect<unknown, unknown, R>
  /** What is there afterwards, as far as it matters. */
  readonly rows: (given: G) => Effect.Effect<unknown, unknown, R>
  /** What may come of it beside what comes of one after the other. */
  readonly tolerated?: ReadonlyArray<Toleration>
}

/** An operation may give way: it answers this and does nothing, as if there had been the other one alone. */
interface Toleration {
  readonly who: Name
  readonly answer: unknown
  readonly because: string
}

/** How many orders are tried (all without a limit), from which seed, or which one alone. */
export interface Extent {
  readonly limit?: number | undefined
  readonly seed?: number | undefined
  readonly only?: string | undefined
}

/** One order and what came of it. `schedule` says who went first wherever both could. */
interface Run {
  readonly schedule: string
  readonly steps: ReadonlyArray<string>
  readonly outcome: string
}

/** What was found. `total` is exact when every order was tried, and an estimate otherwise. */
export interface Exploration {
  readonly tried: number
  readonly total: number
  readonly isComplete: boolean
  /** How often each explanation held. */
  readonly explained: ReadonlyMap<string, number>
  readonly offending: ReadonlyArray<Run>
  readonly expected: ReadonlyMap<string, string>
}

/** Explores meetings of operations over the services of a layer. */
export interface Explorer<R> {
  readonly explore: <G>(meeting: Meeting<G, R>, extent?: Extent) => Effect.Effect<Exploration, unknown, R>
}

interface Session<R> extends GatedSession {
  readonly context: Context.Context<R>
}

/**
 * Opens two sessions of the test's database, with the services over each, and answers what explores in them. `rewrite`
 * changes what both send: so a defect is planted.
 */
export const explorer = Effect.fnUntraced(function* <R, E>(
  services: Layer.Layer<R, E, SqlClient.SqlClient>,
  rewrite?: Rewrite
): Effect.fn.Return<Explorer<R>, E | SqlError.SqlError, SqlClient.SqlClient | TestDatabase | Scope.Scope> {
  const { url } = yield* TestDatabase
  const monitor = yield* SqlClient.SqlClient
  const open = Effect.gen(function* () {
    const session = yield* gatedSession(url, rewrite)
    const context = yield* Layer.build(Layer.fresh(services)).pipe(
      Effect.provideService(SqlClient.SqlClient, session.sql)
    )
    return { ...session, context }
  })
  const sessions: Readonly<Record<Name, Session<R>>> = { A: yield* open, B: yield* open }
  const settled = yield* settling(monitor, sessions)

  const run = Effect.fnUntraced(function* <G>(meeting: Meeting<G, R>, who: ReadonlyArray<Name>, choose: Choose<Name>) {
    const given = yield* meeting.given
    const work = { A: meeting.a(given), B: meeting.b(given) }
    const fibers = yield* Effect.forEach(who, (name) =>
      sessions[name]
        .gated(work[name])
        .pipe(Effect.provideContext(sessions[name].context), Effect.exit, Effect.forkChild({ startImmediately: true }))
    )
    const { schedule, steps } = yield* conduct(sessions, settled, choose).pipe(
      Effect.ensuring(Effect.forEach(names, (name) => sessions[name].letAllGo))
    )
    const answers = new Map<Name, unknown>()
    for (const [index, name] of who.entries()) {
      const fiber = fibers[index]
      if (fiber !== undefined) answers.set(name, answerOf(yield* Fiber.join(fiber)))
    }
    return { schedule, steps, a: answers.get("A"), b: answers.get("B"), rows: yield* meeting.rows(given) }
  })

  const expectations = Effect.fnUntraced(function* <G>(meeting: Meeting<G, R>) {
    const expected = new Map<string, string>()
    const serial = (first: Name) =>
      Effect.map(
        run(meeting, names, () => first),
        ({ a, b, rows }) => outcomeText({ a, b, rows })
      )
    const [first, second] = [yield* serial("A"), yield* serial("B")]
    expected.set(second, "B then A")
    expected.set(first, first === second ? "both orders" : "A then B")
    for (const { answer, because, who } of meeting.tolerated ?? []) {
      const alone = yield* run(meeting, [who === "A" ? "B" : "A"], ([first]) => first)
      const { a, b, rows } = who === "A" ? { ...alone, a: answer } : { ...alone, b: answer }
      expected.set(outcomeText({ a, b, rows }), because)
    }
    return expected
  })

  const explore = Effect.fnUntraced(function* <G>(meeting: Meeting<G, R>, extent: Extent = {}) {
    const expected = yield* expectations(meeting)
    const explained = new Map<string, number>()
    const offending: Array<Run> = []
    const tree = scheduleTree<Name>(extent)
    for (let walk = tree.next(); walk !== undefined; walk = tree.next()) {
      const { a, b, rows, schedule, steps } = yield* run(meeting, names, walk.choose)
      walk.end()
      const outcome = outcomeText({ a, b, rows })
      const explanation = expected.get(outcome)
      if (explanation === undefined) offending.push({ schedule, steps, outcome })
      else explained.set(explanation, (explained.get(explanation) ?? 0) + 1)
    }
    return { ...tree.size(), explained, offending, expected }
  })

  return { explore }
})

/** Says what was found to be wrong, so that the order can be run again alone. */
export const report = ({ expected, isComplete, offending, total, tried }: Exploration): string => {
  const [first] = offending
  if (first === undefined) {
    return `${tried} of ${isComplete ? "" : "about "}${total} orders, each as one after the other`
  }
  return [
    `${offending.length} of ${tried} orders come to what neither order of the operations comes to; order "${first.schedule}":`,
    ...first.steps.map((step) => `  ${step}`),
    `came to ${first.outcome}`,
    ...[...expected].map(([outcome, label]) => `${label}: ${outcome}`)
  ].join("\n")
}
