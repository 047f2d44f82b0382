// What every store of idempotency keys keeps: one owner of a key at a time, one answer for ever (until its retention is
// over), and nothing from who is no longer the owner.
import { Duration, Effect, Redacted } from "effect"
import {
  defaultReservationTerms,
  IdempotencyStore,
  type ReservationOutcome,
  type ReservationRequest,
  type ReservationTerms
} from "../port/IdempotencyStore.ts"
import { type Contract, equal, eventually, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const short = Duration.millis(300)

/** Terms under which an owner that does not answer loses its key at once. */
const shortLease: ReservationTerms = { ...defaultReservationTerms, lease: short }

/** Terms under which an answer is forgotten at once. */
const shortRetention: ReservationTerms = { lease: short, retention: short }

/** What became of a request, as something that can be compared. */
const shown = (outcome: ReservationOutcome): string =>
  outcome._tag === "Answered" ? `Answered ${Redacted.value(outcome.answer)}` : outcome._tag

const reserve = Effect.fnUntraced(function* (request: ReservationRequest) {
  const store = yield* IdempotencyStore
  return shown(yield* store.reserve(request))
})

const complete = Effect.fnUntraced(function* (request: ReservationRequest, answer: string) {
  const store = yield* IdempotencyStore
  return yield* store.complete(request, Redacted.make(answer))
})

const release = (request: ReservationRequest) => Effect.flatMap(IdempotencyStore, (store) => store.release(request))

/** The answer to somebody else who asks the same. */
const reserveAgain = (request: ReservationRequest) => Effect.flatMap(Given.reservedAgain(request), reserve)

/** Waits until somebody else has the key, and answers who. */
const takenOver = Effect.fnUntraced(function* (request: ReservationRequest) {
  const other = yield* Given.reservedAgain(request)
  yield* eventually("a key that is free", reserve(other), (outcome) => outcome === "Reserved")
  return other
})

const answer = "an answer"

const strange = ' {"text":"\u{1F512} \u00e9 \\u0000 \\" \ufeff"}\r\n'

/** The laws of {@link IdempotencyStore}. */
export const IdempotencyStoreContract: Contract<IdempotencyStore> = [
  law(
    "B11",
    "of twenty that ask the same for the first time at the same time exactly one carries it out",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation()
      const all = yield* Effect.all(Array.from({ length: 20 }, () => Given.reservedAgain(request)))
      const outcomes = yield* Effect.all(all.map(reserve), { concurrency: "unbounded" })
      yield* equal("how many carry it out", outcomes.filter((outcome) => outcome === "Reserved").length, 1)
      const others = outcomes.filter((outcome) => outcome !== "Reserved")
      yield* equal("what the others are told", [...new Set(others)], ["InProgress"])
    })
  ),

  law(
    "B11",
    "a key stands for one request: another one under it is refused, while the first goes on and when it was answered",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation()
      const other = { ...(yield* Given.reservedAgain(request)), fingerprint: yield* Given.freshFingerprint }
      yield* equal("the first outcome", yield* reserve(request), "Reserved")
      yield* equal("the outcome of another request meanwhile", yield* reserve(other), "Reused")
      yield* complete(request, answer)
      yield* equal("the outcome of another request afterwards", yield* reserve(other), "Reused")
      yield* equal("the outcome of the same request", yield* reserveAgain(request), `Answered ${answer}`)
    })
  ),

  law(
    "X4",
    "what was answered is answered again, to the last character, as often as it is asked",
    Effect.gen(function* () {
      for (const text of ["", strange, "x".repeat(1_000_000)]) {
        const request = yield* Given.freshReservation()
        yield* reserve(request)
        yield* complete(request, text)
        yield* equal("the second outcome", yield* reserveAgain(request), `Answered ${text}`)
        yield* equal("the third outcome", yield* reserveAgain(request), `Answered ${text}`)
      }
    })
  ),

  law(
    "X4",
    "keys have nothing to do with each other, though they stand for the same request",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation()
      const other = { ...request, ...(yield* Given.freshReservation()), fingerprint: request.fingerprint }
      yield* reserve(request)
      yield* equal("the outcome under the other key", yield* reserve(other), "Reserved")
      yield* complete(request, "one")
      yield* equal("the other key", yield* reserveAgain(other), "InProgress")
      yield* complete(other, "two")
      yield* equal("the first key", yield* reserveAgain(request), "Answered one")
      yield* release(other)
      yield* equal("the other key", yield* reserveAgain(other), "Answered two")
    })
  ),

  law(
    "X4",
    "an owner that asks again is told the same, and its answer is kept once: the first one stays",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation()
      yield* equal("the first outcome", yield* reserve(request), "Reserved")
      yield* equal("the outcome for the owner", yield* reserve(request), "Reserved")
      yield* complete(request, "first")
      yield* complete(request, "second")
      yield* equal("the outcome for others", yield* reserveAgain(request), "Answered first")
      yield* equal("the outcome for the owner", yield* reserve(request), "Answered first")
    })
  ),

  law(
    "X4",
    "a key that is given back is free at once; one that was answered, or is another's, cannot be given back",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation()
      const other = yield* Given.reservedAgain(request)
      yield* reserve(request)
      yield* release(other)
      yield* equal("the outcome after others gave it back", yield* reserve(other), "InProgress")
      yield* release(request)
      yield* release(request)
      yield* equal("the outcome after the owner gave it back", yield* reserve(other), "Reserved")
      yield* complete(other, answer)
      yield* release(other)
      yield* equal("the outcome after an answer was given back", yield* reserveAgain(request), `Answered ${answer}`)
    })
  ),

  law(
    "X4",
    "a key whose owner does not answer is free when its lease is over, also for another request, and not before",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation(shortLease)
      yield* equal("the first outcome", yield* reserve(request), "Reserved")
      yield* equal("the outcome before the lease is over", yield* reserveAgain(request), "InProgress")
      const other = { ...request, fingerprint: yield* Given.freshFingerprint }
      const taken = yield* takenOver(other)
      yield* equal("the outcome of the first request", yield* reserveAgain(request), "Reused")
      yield* complete(taken, answer)
      yield* equal("the outcome of the other request", yield* reserveAgain(other), `Answered ${answer}`)
    })
  ),

  law(
    "X4",
    "who lost a key to another owner can neither answer nor give it back",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation(shortLease)
      yield* reserve(request)
      const other = yield* takenOver(request)
      yield* refused("ReservationLost", complete(request, "late"))
      yield* release(request)
      yield* equal("the outcome for a third", yield* reserveAgain(request), "InProgress")
      yield* complete(other, "in time")
      yield* refused("ReservationLost", complete(request, "too late"))
      yield* equal("the outcome for a third", yield* reserveAgain(request), "Answered in time")
    })
  ),

  law(
    "X4",
    "who gave a key back cannot answer it, also when others had it since and gave it back too",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation()
      const [other, third] = [yield* Given.reservedAgain(request), yield* Given.reservedAgain(request)]
      yield* reserve(request)
      yield* release(request)
      yield* refused("ReservationLost", complete(request, "nobody's"))
      yield* reserve(other)
      yield* release(other)
      yield* equal("the outcome for a third", yield* reserve(third), "Reserved")
      yield* refused("ReservationLost", complete(request, "another's"))
      yield* refused("ReservationLost", complete(other, "another's"))
      yield* equal("the outcome for a fourth", yield* reserveAgain(request), "InProgress")
    })
  ),

  law(
    "X4",
    "an owner whose lease is over answers as long as nobody has taken the key",
    Effect.gen(function* () {
      const request = yield* Given.freshReservation(shortLease)
      yield* reserve(request)
      yield* Effect.sleep(Duration.sum(short, Duration.millis(100)))
      yield* complete(request, answer)
      yield* equal("the outcome for others", yield* reserveAgain(request), `Answered ${answer}`)
    })
  ),

  law(
    "X4",
    "an answer outlives the lease, and is forgotten when its retention is over: the key is as if nobody had used it",
    Effect.gen(function* () {
      const kept = yield* Given.freshReservation(shortLease)
      yield* reserve(kept)
      yield* complete(kept, answer)
      const request = yield* Given.freshReservation(shortRetention)
      yield* reserve(request)
      yield* complete(request, answer)
      const other = yield* takenOver({ ...request, fingerprint: yield* Given.freshFingerprint })
      yield* complete(other, "another answer")
      yield* equal("the outcome for others", yield* reserveAgain(other), "Answered another answer")
      yield* refused("ReservationLost", complete(request, "forgotten"))
      yield* equal("the outcome of what is kept", yield* reserveAgain(kept), `Answered ${answer}`)
    })
  )
]
