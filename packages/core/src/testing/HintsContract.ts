// What all Hints keep: who waits is told soon, nobody is told of nothing for long, and giving waits for nobody. A Hint may be
// late, lost or repeated, so that each law leaves a Hint the time that it may take.
import { Clock, Duration, Effect, Fiber } from "effect"
import { Hints, type HintTopic, type HintWait } from "../port/Hints.ts"
import { type Contract, eventually, holds, law } from "./Contract.ts"

const long = Duration.seconds(20)
const short = Duration.millis(300)

/** How long a wait took, in milliseconds. */
const waited = (wait: HintWait, atMost: Duration.Duration) =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    yield* wait(atMost)
    return (yield* Clock.currentTimeMillis) - start
  })

const isShort = (millis: number): boolean => millis < 10_000

const isWhole = (millis: number): boolean => millis >= Duration.toMillis(short) - 2

/** Listens, and lets what others have given before pass by. */
const listening = Effect.fnUntraced(function* (topic: HintTopic) {
  const hints = yield* Hints
  const wait = yield* hints.listen(topic)
  yield* eventually("a wait without a Hint to last as long as it may", waited(wait, short), isWhole)
  return wait
})

/** The laws of {@link Hints}. */
export const HintsContract: Contract<Hints> = [
  law(
    "Hints-1",
    "who waits goes on at the next Hint",
    Effect.gen(function* () {
      const hints = yield* Hints
      const wait = yield* listening("deployments")
      const waiting = yield* Effect.forkChild(waited(wait, long))
      yield* Effect.sleep(short)
      yield* hints.give("deployments")
      const millis = yield* Fiber.join(waiting)
      yield* holds("a short wait", isShort(millis), millis)
    }).pipe(Effect.scoped)
  ),

  law(
    "Hints-2",
    "a Hint that comes while nobody waits ends the next wait",
    Effect.gen(function* () {
      const hints = yield* Hints
      const wait = yield* listening("stops")
      yield* hints.give("stops")
      yield* Effect.sleep(short)
      const millis = yield* waited(wait, long)
      yield* holds("a short wait", isShort(millis), millis)
    }).pipe(Effect.scoped)
  ),

  law(
    "Hints-3",
    "everybody who listens is told",
    Effect.gen(function* () {
      const hints = yield* Hints
      const waits = yield* Effect.all([listening("events"), listening("events"), listening("events")])
      const waiting = yield* Effect.forEach(waits, (wait) => Effect.forkChild(waited(wait, long)))
      yield* Effect.sleep(short)
      yield* hints.give("events")
      const all = yield* Effect.forEach(waiting, (fiber) => Fiber.join(fiber))
      yield* holds("short waits", all.every(isShort), all)
    }).pipe(Effect.scoped)
  ),

  law(
    "Hints-4",
    "a Hint of one topic ends no wait for another",
    Effect.gen(function* () {
      const hints = yield* Hints
      const [wait, other] = [yield* listening("apps"), yield* listening("deployments")]
      yield* hints.give("deployments")
      yield* other(long)
      const millis = yield* waited(wait, short)
      yield* holds("a wait that lasts as long as it may", isWhole(millis), millis)
    }).pipe(Effect.scoped)
  ),

  law(
    "Hints-5",
    "without a Hint a wait ends when its time is over",
    Effect.gen(function* () {
      const wait = yield* listening("apps")
      const end = yield* Effect.timeoutOption(waited(wait, short), long)
      yield* holds("an end in time", end._tag === "Some" && isShort(end.value), end)
    }).pipe(Effect.scoped)
  ),

  law(
    "Hints-6",
    "Hints end: after many, somebody who looks each time waits again as long as it may",
    Effect.gen(function* () {
      const hints = yield* Hints
      const wait = yield* listening("stops")
      yield* Effect.repeat(hints.give("stops"), { times: 99 })
      yield* eventually("a wait that lasts as long as it may", waited(wait, short), isWhole)
    }).pipe(Effect.scoped)
  ),

  law(
    "Hints-7",
    "giving waits for nobody: not for who listens and never looks, and not for who listens no longer",
    Effect.gen(function* () {
      const hints = yield* Hints
      yield* Effect.scoped(hints.listen("events"))
      yield* hints.listen("events")
      const given = yield* Effect.timeoutOption(Effect.repeat(hints.give("events"), { times: 999 }), long)
      yield* holds("a thousand Hints that are given", given._tag === "Some")
    }).pipe(Effect.scoped)
  )
]
