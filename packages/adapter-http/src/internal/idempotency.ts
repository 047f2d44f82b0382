// Carries a request that comes with an Idempotency-Key out once: the key is reserved first, and what the request was
// answered is kept. From the reservation on it runs in a fiber of the server, so that a caller who goes away does not cut it
// off: it would not be known then whether it had been done.
import { randomUUID } from "node:crypto"
import { Duration, Effect, Exit, Fiber, Option, Redacted, Schedule, Schema } from "effect"
import { type HttpServerRequest, HttpServerRespondable, type HttpServerResponse } from "effect/http"
import {
  Fingerprint,
  IdempotencyKey,
  IdempotencyStore,
  ReservationId,
  type ReservationLost,
  type ReservationOutcome,
  type ReservationRequest,
  type ReservationTerms
} from "@lockkeeper/core/port/IdempotencyStore"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { IdempotencyInProgress, IdempotencyKeyReused, InvalidBody, StoreUnavailable } from "../api/Problems.ts"
import { Fingerprints } from "../Fingerprints.ts"
import { unavailable } from "../handlers/outcomes.ts"
import { Tokens } from "../Tokens.ts"
import { keptAnswer, replayed } from "./keptAnswers.ts"
import { isServed, pathOf, tokenOf } from "./unrouted.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse
type Answer<E = never> = Effect.Effect<Response, E, Request>

/** Makes the whole answer of what a request comes to, also of a failure or a defect. */
export type Answered = <E>(outcome: Answer<E>) => Answer

const { toResponse } = HttpServerRespondable

const isKey = Schema.is(Schema.String.check(Schema.isPattern(/^[\x20-\x7e]{1,255}$/)))

/** What is carried out may take so much of its lease; the rest is for what cannot be interrupted at once. */
const limitOf = ({ lease }: ReservationTerms): Duration.Duration => Duration.times(lease, 2 / 3)

/** Answers requests, each key's once. Requests without a key are answered as they are. */
export const makeIdempotency = Effect.fnUntraced(function* (terms: ReservationTerms) {
  const [fingerprints, store, tokens] = [yield* Fingerprints, yield* IdempotencyStore, yield* Tokens]
  const scope = yield* Effect.scope

  /** What is to be reserved for a request; undefined where there is no key, no such route or nobody who may ask. */
  const reservationOf = Effect.fnUntraced(function* (request: Request) {
    const key = request.headers["idempotency-key"]
    const token = tokenOf(request)
    const caller = tokens.find(token)
    const isKeyed = request.method === "POST" || request.method === "PATCH"
    if (key === undefined || caller === undefined || !isKeyed || !isServed(request)) return undefined
    if (!isKey(key)) {
      return yield* new InvalidBody({
        detail: "headers.idempotency-key: Expected between 1 and 255 printable ASCII characters"
      })
    }
    const body = new Uint8Array(yield* Effect.orDie(request.arrayBuffer))
    const route = [request.method, pathOf(request)]
    const whose = [Redacted.value(token), caller.name, caller.tenant]
    const query = request.url.split("?").slice(1).join("?")
    const says = [...route, query, request.headers["if-match"] ?? "", body]
    const reservation: ReservationRequest = {
      key: IdempotencyKey.make(fingerprints.digest("key", [...whose, ...route, key])),
      fingerprint: Fingerprint.make(fingerprints.digest("request", says)),
      id: ReservationId.make(randomUUID()),
      terms
    }
    return reservation
  })

  /** Tells the store what became of a reservation: at once, or while the lease lasts when the store is away. */
  const settled = (telling: Effect.Effect<void, ReservationLost | StoreError>): Effect.Effect<void> => {
    const untold = (error: ReservationLost | StoreError) =>
      Effect.logWarning("what became of a request with an idempotency key is not kept", error)
    const later = telling.pipe(
      Effect.retry({ schedule: Schedule.spaced("500 millis"), while: ({ _tag }) => _tag === "StoreError" }),
      Effect.timeoutOption(terms.lease),
      Effect.catch(untold)
    )
    return Effect.catch(telling, (error) =>
      error._tag === "ReservationLost"
        ? untold(error)
        : Effect.andThen(untold(error), Effect.asVoid(Effect.forkIn(later, scope)))
    )
  }

  const reserved = (reservation: ReservationRequest) =>
    store.reserve(reservation).pipe(
      Effect.tapError(() => settled(store.release(reservation))),
      Effect.catch(unavailable)
    )

  const once = (reservation: ReservationRequest, answer: Answer, late: Answer) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const outcome = yield* reserved(reservation)
        if (outcome._tag !== "Reserved") return yield* told(outcome)

        const inTime = Effect.timeoutOrElse(answer, { duration: limitOf(terms), orElse: () => late })
        const exit = yield* Effect.exit(restore(inTime))
        const kept = Exit.isSuccess(exit) ? keptAnswer(exit.value) : undefined
        yield* settled(kept === undefined ? store.release(reservation) : store.complete(reservation, kept))
        return yield* exit
      })
    )

  return <E>(request: Request, outcome: Answer<E>, answered: Answered): Answer => {
    const late = Effect.andThen(
      Effect.logWarning("a request with an idempotency key took too long and was ended"),
      answered(toResponse(new StoreUnavailable({ detail: "it took too long; try again" })))
    )
    return Effect.interruptible(reservationOf(request)).pipe(
      Effect.map(Option.fromNullishOr),
      Effect.flatMap(
        Option.match({
          onNone: () => answered(outcome),
          onSome: (reservation) =>
            Effect.forkIn(once(reservation, answered(Effect.scoped(outcome)), late), scope).pipe(
              Effect.flatMap((fiber) => Effect.interruptible(Fiber.join(fiber)))
            )
        })
      ),
      Effect.catch((problem) => answered(toResponse(problem))),
      Effect.catchCause((cause) => answered(Effect.failCause(cause)))
    )
  }
})

const told = Effect.fnUntraced(function* (outcome: Exclude<ReservationOutcome, { readonly _tag: "Reserved" }>) {
  switch (outcome._tag) {
    case "Answered":
      return yield* replayed(outcome.answer)
    case "Reused":
      return yield* new IdempotencyKeyReused({ detail: "the key was used for another request" })
    case "InProgress":
      return yield* new IdempotencyInProgress({ detail: "the first request with this key is in progress" })
  }
})
