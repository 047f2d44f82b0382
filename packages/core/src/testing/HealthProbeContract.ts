// What every HealthProbe keeps: it says healthy of what serves and of nothing else, and it never takes longer than its check.
// Something has to listen for that, which the test of an adapter starts.
import { Effect, Fiber, Option, type Scope } from "effect"
import type { HealthCheck } from "../domain/HealthCheck.ts"
import type { Address } from "../domain/Workload.ts"
import { HealthProbe } from "../port/HealthProbe.ts"
import { type Contract, holds, law, present, refused } from "./Contract.ts"

/** What there is to be probed, each for as long as the Scope lasts. */
export interface ProbeFixture<R> {
  /** Answers every request well. */
  readonly serving: Effect.Effect<Address, never, R | Scope.Scope>
  /** Answers every request as failed, with a body that holds {@link probeCanary}. */
  readonly failing: Effect.Effect<Address, never, R | Scope.Scope>
  /** Takes connections and requests, and says nothing. */
  readonly silent: Effect.Effect<Address, never, R | Scope.Scope>
  /** Nothing listens there. */
  readonly absent: Effect.Effect<Address, never, R | Scope.Scope>
}

/** A text that nothing may repeat of what failed. */
export const probeCanary = "a canary that sings 8d1e"

const byPath: HealthCheck = { path: "/healthz", intervalMillis: 50, timeoutSeconds: 3 }
const byConnection: HealthCheck = { intervalMillis: 50, timeoutSeconds: 3 }

const probe = (address: Address, check: HealthCheck) =>
  Effect.flatMap(HealthProbe, (probe) => probe.probe(address, check))

const detailOf = (address: Address, check: HealthCheck) =>
  Effect.map(refused("Unhealthy", probe(address, check)), ({ detail }) => detail)

/** What an effect comes to, if it is over within a second. */
const atOnce = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.timeoutOption(effect, "1 second"), (done) => present(what, Option.getOrUndefined(done)))

/** The laws of {@link HealthProbe}, with something to be probed. */
export const makeHealthProbeContract = <R>(fixture: ProbeFixture<R>): Contract<HealthProbe | R> => {
  const about = <E>(
    address: Effect.Effect<Address, never, R | Scope.Scope>,
    check: (address: Address) => Effect.Effect<void, E, HealthProbe>
  ) => Effect.scoped(Effect.flatMap(address, check))

  return [
    law(
      "INV-8",
      "what serves is healthy, asked by a path and without one",
      about(fixture.serving, (address) => Effect.andThen(probe(address, byPath), probe(address, byConnection)))
    ),

    law(
      "INV-8",
      "what answers that it failed is not healthy when a path is asked for",
      about(fixture.failing, (address) => Effect.asVoid(detailOf(address, byPath)))
    ),

    law(
      "INV-8",
      "where nothing listens nothing is healthy, asked by a path and without one",
      about(fixture.absent, (address) =>
        Effect.andThen(detailOf(address, byPath), Effect.asVoid(detailOf(address, byConnection)))
      )
    ),

    law(
      "HealthProbe-1",
      "it asks once: where nothing listens the answer is there at once, however long the check lasts",
      about(fixture.absent, (address) =>
        Effect.asVoid(atOnce("an answer within a second", detailOf(address, { ...byPath, timeoutSeconds: 60 })))
      )
    ),

    law(
      "H8",
      "what says nothing is not healthy, and that is said before the time of the check is long over",
      about(fixture.silent, (address) =>
        Effect.gen(function* () {
          const asking = Effect.timeoutOption(detailOf(address, { ...byPath, timeoutSeconds: 1 }), "2 seconds")
          yield* holds("an answer within two seconds", Option.isSome(yield* asking))
        })
      )
    ),

    law(
      "H24",
      "a probe that is interrupted, early or late, is over at once",
      about(fixture.silent, (address) =>
        Effect.gen(function* () {
          for (const steps of [0, 1, 16, 256]) {
            const asking = yield* Effect.forkChild(probe(address, byPath))
            yield* Effect.repeat(Effect.yieldNow, { times: steps })
            yield* atOnce("its end within a second", Effect.as(Fiber.interrupt(asking), true))
          }
        })
      )
    ),

    law(
      "INV-11",
      "what is said of a failure shows nothing of what its body says",
      about(fixture.failing, (address) =>
        Effect.gen(function* () {
          const detail = yield* detailOf(address, byPath)
          yield* holds("a detail without the body", !detail.includes(probeCanary), detail)
        })
      )
    )
  ]
}
