// Idempotency keys where sessions meet: who waits for a row decides on what is there when the wait is over, and what has
// expired is deleted little by little, past those who hold it.

import { assert, layer } from "@effect/vitest"
import {
  defaultReservationTerms,
  IdempotencyStore,
  type Reservation,
  type ReservationRequest
} from "@lockkeeper/core/port/IdempotencyStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { swept } from "@lockkeeper/core/testing/RetentionFixture"
import { Duration, Effect, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith } from "../../../test/harness/capability.ts"
import { meets, withSql } from "./support/meetings.ts"
import { answers, opened, overtaken, pooledStores, raced, refusals, stores, unique } from "./support/stores.ts"

const keys = <A, E, R>(use: (store: IdempotencyStore["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(IdempotencyStore, use)

const reserve = (request: ReservationRequest) =>
  Effect.map(
    keys((store) => store.reserve(request)),
    ({ _tag }) => _tag
  )

const complete = (reservation: Reservation, answer = "an answer") =>
  keys((store) => store.complete(reservation, Redacted.make(answer)))

const again = (request: ReservationRequest) => Effect.flatMap(Given.reservedAgain(request), reserve)

const given = Effect.tap(Given.freshReservation(), reserve)

const ended = ({ key }: Reservation) =>
  withSql((sql) => sql`update idempotency_keys set lease_until = now() - interval '1 second' where key = ${key}`)

const expired = ({ key }: Reservation) =>
  withSql(
    (sql) => sql`update idempotency_keys set lease_until = now() - interval '2 days',
      expires_at = now() - interval '1 day' where key = ${key}`
  )

/** Which of some keys still have a row. */
const present = Effect.fnUntraced(function* (all: ReadonlyArray<Reservation>) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly key: string }>`select key from idempotency_keys
    where key = any (${all.map(({ key }) => key)}::text[])`
  return rows.length
})

const many = (count: number) => Effect.all(Array.from({ length: count }, () => given))

layer(stores(), { excludeTestServices: true })("an idempotency key", (it) => {
  it.effect("B11: of sixty that ask at once on two replicas one carries the request out, and nobody fails", () =>
    Effect.gen(function* () {
      const request = yield* Given.freshReservation()
      const results = yield* raced(60, () => again(request))
      assert.deepStrictEqual(refusals(results), [])
      const outcomes = answers(results)
      assert.strictEqual(outcomes.filter((outcome) => outcome === "Reserved").length, 1)
      assert.strictEqual(unique(outcomes), 2)
    })
  )

  it.effect("B11: of forty that find a lease that is over one takes it", () =>
    Effect.gen(function* () {
      const request = yield* given
      yield* ended(request)
      const results = yield* raced(40, () => again(request))
      assert.deepStrictEqual(refusals(results), [])
      assert.strictEqual(answers(results).filter((outcome) => outcome === "Reserved").length, 1)
    })
  )

  it.effect("B11: who waited for the first reservation of a key does not carry the request out too", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const request = yield* Given.freshReservation()
      const other = yield* Given.reservedAgain(request)
      const first = sql`insert into idempotency_keys (key, reservation, fingerprint, lease_until, expires_at)
        values (${request.key}, ${other.id}, ${request.fingerprint}, now() + interval '1 minute', now() + interval '1 day')`
      assert.strictEqual(Result.getOrThrow(yield* overtaken(first, reserve(request))), "InProgress")
    })
  )

  it.effect("X4: who waited while the owner answered is answered, and while it gave the key back has it", () =>
    Effect.gen(function* () {
      const [cipher, sql] = [yield* SecretCipher, yield* SqlClient.SqlClient]
      const [kept, freed] = [yield* given, yield* given]
      const sealed = yield* cipher.seal(Redacted.make("an answer"), `idempotency/${kept.key}/${kept.id}`)
      const answered = sql`update idempotency_keys set sealed = ${sealed} where key = ${kept.key}`
      assert.strictEqual(Result.getOrThrow(yield* overtaken(answered, again(kept))), "Answered")
      const gone = sql`delete from idempotency_keys where key = ${freed.key}`
      assert.strictEqual(Result.getOrThrow(yield* overtaken(gone, again(freed))), "Reserved")
    })
  )

  it.effect("X4: an owner that waited while somebody took its key over cannot answer it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const request = yield* given
      const { id } = yield* Given.reservedAgain(request)
      const taken = sql`update idempotency_keys set reservation = ${id} where key = ${request.key}`
      const result = yield* overtaken(taken, complete(request))
      assert.strictEqual(Result.isFailure(result) && result.failure._tag, "ReservationLost")
      const [row] = yield* sql`select reservation, sealed from idempotency_keys where key = ${request.key}`
      assert.deepStrictEqual(row, { reservation: id, sealed: null })
    })
  )

  it.effect("X4: in every order of statements, answering and taking over come to one owner and one answer", () =>
    meets({
      given: Effect.gen(function* () {
        const request = yield* given
        yield* ended(request)
        return { request, other: yield* Given.reservedAgain(request) }
      }),
      a: ({ request }) => complete(request),
      b: ({ other }) => reserve(other),
      rows: ({ other, request }) =>
        withSql(
          (sql) => sql`select reservation = ${request.id} as first, reservation = ${other.id} as other,
            sealed is not null as answered from idempotency_keys where key = ${request.key}`
        )
    })
  )

  it.effect("X4: lasts as long as it was reserved for, on the clock of the database", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const terms = { lease: Duration.seconds(90), retention: Duration.hours(24) }
      const { key } = yield* Effect.tap(Given.freshReservation(terms), reserve)
      const [row] = yield* sql`select extract(epoch from expires_at - lease_until)::int as after,
        lease_until between now() + interval '80 seconds' and now() + interval '90 seconds' as leased
        from idempotency_keys where key = ${key}`
      assert.deepStrictEqual(row, { after: 86_400 - 90, leased: true })
      assert.deepStrictEqual(defaultReservationTerms, { ...terms, lease: Duration.minutes(1) })
    })
  )

  it.effect("X4: a sweep deletes what has expired, and nothing else", () =>
    Effect.gen(function* () {
      const [old, current] = [yield* many(40), yield* many(3)]
      yield* Effect.forEach(current, (request) => complete(request))
      yield* Effect.forEach(old, expired)
      assert.deepStrictEqual(yield* reserve(yield* Given.freshReservation()), "Reserved")
      assert.deepStrictEqual(yield* present(old), 40)
      yield* swept("reservations")
      assert.deepStrictEqual([yield* present(old), yield* present(current)], [0, 3])
    })
  )

  it.effect("X4: a sweep passes by an expired row that somebody else holds, and waits for nobody", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [held, free] = [yield* given, yield* given]
      yield* Effect.forEach([held, free], expired)
      const commit = yield* opened(sql`select 1 from idempotency_keys where key = ${held.key} for update`)
      const outcome = yield* Effect.timeoutOption(swept("reservations"), "2 seconds")
      assert.isTrue(outcome._tag === "Some")
      assert.deepStrictEqual([yield* present([held]), yield* present([free])], [1, 0])
      yield* commit
    })
  )
})

describeWith("pgbouncer")("K11: behind PgBouncer with two connections", () => {
  layer(pooledStores(2), { excludeTestServices: true })("an idempotency key", (it) => {
    it.effect("B11: of sixty that ask at once on two replicas one carries the request out", () =>
      Effect.gen(function* () {
        const request = yield* Given.freshReservation()
        const results = yield* raced(60, () => again(request))
        assert.deepStrictEqual(refusals(results), [])
        assert.strictEqual(answers(results).filter((outcome) => outcome === "Reserved").length, 1)
      })
    )
  })
})
