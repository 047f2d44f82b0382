// Which Provider makes the Runs of which target, and when one is made at all.
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Latch, Layer, Schema, type Scope } from "effect"
import { Target } from "../src/domain/Run.ts"
import { makeMemoryProvider } from "../src/port/memoryProvider.ts"
import { MemoryState } from "../src/port/MemoryState.ts"
import { type Provider, ProviderError } from "../src/port/Provider.ts"
import { Providers, type ProvidersSpec, targetSpec } from "../src/port/Providers.ts"

const [docker, process, moon] = [Target.make("docker"), Target.make("process"), Target.make("moon")]

const unavailable = new ProviderError({ reason: "provider_unavailable", detail: "the engine is away" })

const provider = Effect.map(MemoryState, (state) => makeMemoryProvider(state)).pipe(Effect.provide(MemoryState.layer))

type Make = Effect.Effect<Provider, ProviderError, Scope.Scope>

const target = (name: Target, make: (settings: { readonly place?: string }) => Make = () => provider) =>
  targetSpec({ target: name, settings: Schema.Struct({ place: Schema.optionalKey(Schema.String) }), make })

const providersOf = (spec: Partial<ProvidersSpec>) =>
  Effect.map(Layer.build(Providers.layer({ targets: [], settings: {}, usual: docker, ...spec })), (context) =>
    Providers.pipe(Effect.provideContext(context))
  ).pipe(Effect.flatten)

/** A Provider that is made by these attempts, one after the other, and how many there were. */
const attempts = (...made: ReadonlyArray<Make>) => {
  let count = 0
  const make = Effect.suspend(() => made[Math.min(count++, made.length - 1)] ?? Effect.die("no attempt"))
  return { target: target(docker, () => make), count: () => count }
}

describe("the registry of Providers", () => {
  it.effect("H1: takes a third Provider by its registration alone", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const third = target(moon, ({ place }) =>
        Effect.andThen(
          Effect.sync(() => seen.push(place)),
          provider
        )
      )
      const providers = yield* providersOf({
        targets: [target(docker), target(process), third],
        settings: { moon: { place: "far" } }
      })
      expect(providers.targets).toStrictEqual([docker, process, moon])
      expect(yield* (yield* providers.of(moon)).owned).toStrictEqual([])
      expect(seen).toStrictEqual(["far"])
    }).pipe(Effect.scoped)
  )

  it.effect("H1: says of a target that it does not know which ones there are", () =>
    Effect.gen(function* () {
      const providers = yield* providersOf({ targets: [target(docker), target(process)] })
      const error = yield* Effect.flip(providers.of(moon))
      expect(error).toMatchObject({ _tag: "TargetNotKnown", target: moon, known: [docker, process] })
    }).pipe(Effect.scoped)
  )

  it.effect(
    "H1 H2: needs no other section than that of the target, looks at none before, and constructs no other",
    () =>
      Effect.gen(function* () {
        const looked: Array<string> = []
        const section = (name: string, value: unknown) => ({
          enumerable: true,
          get: () => {
            looked.push(name)
            if (name !== "docker") throw new Error(`somebody looked at ${name}`)
            return value
          }
        })
        const settings = Object.defineProperties(
          {},
          { docker: section("docker", { place: "here" }), process: section("process", {}) }
        )
        const other = attempts(provider)
        const providers = yield* providersOf({
          targets: [target(docker), { ...other.target, target: process }],
          settings
        })
        expect(looked).toStrictEqual([])
        expect((yield* providers.made).size).toBe(0)
        yield* providers.of(docker)
        yield* providers.of(docker)
        expect(looked).toStrictEqual(["docker"])
        expect(other.count()).toBe(0)
        expect([...(yield* providers.made).keys()]).toStrictEqual([docker])
        expect((yield* Effect.exit(providers.of(process)))._tag).toBe("Failure")
      }).pipe(Effect.scoped)
  )

  it.effect("H1: makes a Provider without any section", () =>
    Effect.gen(function* () {
      const providers = yield* providersOf({ targets: [target(docker)] })
      expect(yield* (yield* providers.of(docker)).owned).toStrictEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("H1 H21: says of settings that cannot be read whose they are, and nothing of their values", () =>
    Effect.gen(function* () {
      const providers = yield* providersOf({
        targets: [target(docker), target(process)],
        settings: { docker: { place: 77_123 }, process: {} }
      })
      const error = yield* Effect.flip(providers.of(docker))
      expect(error).toMatchObject({ _tag: "ProviderError", reason: "provider_unavailable" })
      expect(error.message).toContain("docker")
      expect(error.message).not.toContain("77123")
      yield* providers.of(process)
    }).pipe(Effect.scoped)
  )
})

describe("the first use of a Provider", () => {
  it.effect("H26: that fails is not remembered: fail, fail, ok", () =>
    Effect.gen(function* () {
      const { count, target } = attempts(Effect.fail(unavailable), Effect.fail(unavailable), provider)
      const providers = yield* providersOf({ targets: [target] })
      expect(yield* Effect.flip(providers.of(docker))).toBe(unavailable)
      expect((yield* providers.made).size).toBe(0)
      expect(yield* Effect.flip(providers.of(docker))).toBe(unavailable)
      const made = yield* providers.of(docker)
      expect(yield* providers.of(docker)).toBe(made)
      expect(count()).toBe(3)
    }).pipe(Effect.scoped)
  )

  it.effect("H26: by twenty at the same time is one attempt, whose failure each of them sees", () =>
    Effect.gen(function* () {
      const latch = yield* Latch.make()
      const { count, target } = attempts(
        Effect.andThen(latch.await, Effect.fail(unavailable)),
        Effect.andThen(latch.await, provider)
      )
      const providers = yield* providersOf({ targets: [target] })
      const twenty = Effect.all(
        Array.from({ length: 20 }, () => Effect.result(providers.of(docker))),
        { concurrency: "unbounded" }
      )
      const first = yield* Effect.forkChild(twenty, { startImmediately: true })
      yield* Effect.yieldNow
      yield* latch.open
      expect((yield* Fiber.join(first)).map(({ _tag }) => _tag)).toStrictEqual(
        Array.from({ length: 20 }, () => "Failure")
      )
      expect(count()).toBe(1)
      const [one, ...others] = yield* twenty
      expect(new Set(others).size).toBeGreaterThan(0)
      expect(
        others.every((other) => other._tag === "Success" && one?._tag === "Success" && other.success === one.success)
      ).toBe(true)
      expect(count()).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.effect("H26: goes on when the first caller is interrupted while another waits", () =>
    Effect.gen(function* () {
      const latch = yield* Latch.make()
      const { count, target } = attempts(Effect.andThen(latch.await, provider))
      const providers = yield* providersOf({ targets: [target] })
      const first = yield* Effect.forkChild(providers.of(docker), { startImmediately: true })
      const second = yield* Effect.forkChild(providers.of(docker), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first)
      yield* latch.open
      yield* Fiber.join(second)
      expect(count()).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("H26: that everybody gave up is released before the next one is made, who came meanwhile too", () =>
    Effect.gen(function* () {
      const [begun, releasing, released] = [
        yield* Deferred.make<void>(),
        yield* Deferred.make<void>(),
        yield* Latch.make()
      ]
      const events: Array<string> = []
      const release = Effect.andThen(Deferred.succeed(releasing, undefined), released.await).pipe(
        Effect.andThen(Effect.sync(() => events.push("released")))
      )
      const hangs = Effect.addFinalizer(() => release).pipe(
        Effect.andThen(Deferred.succeed(begun, undefined)),
        Effect.andThen(Effect.never)
      )
      const { count, target } = attempts(
        hangs,
        Effect.andThen(
          Effect.sync(() => events.push("made")),
          provider
        )
      )
      const providers = yield* providersOf({ targets: [target] })
      const first = yield* Effect.forkChild(providers.of(docker))
      yield* Deferred.await(begun)
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* Deferred.await(releasing)
      const second = yield* Effect.forkChild(providers.of(docker), { startImmediately: true })
      yield* Effect.yieldNow
      expect(count()).toBe(1)
      yield* released.open
      yield* Fiber.join(second)
      yield* Fiber.join(interrupted)
      expect(events).toStrictEqual(["released", "made"])
    }).pipe(Effect.scoped)
  )

  it.effect("H2: lasts as long as the layer, and what a failed attempt had is released at once", () =>
    Effect.gen(function* () {
      const released: Array<string> = []
      const holds = (name: string) => Effect.addFinalizer(() => Effect.sync(() => released.push(name)))
      const { target } = attempts(
        Effect.andThen(holds("failed"), Effect.fail(unavailable)),
        Effect.andThen(holds("made"), provider)
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const providers = yield* providersOf({ targets: [target] })
          yield* Effect.flip(providers.of(docker))
          expect(released).toStrictEqual(["failed"])
          yield* providers.of(docker)
          expect(released).toStrictEqual(["failed"])
        })
      )
      expect(released).toStrictEqual(["failed", "made"])
    })
  )

  it.effect("H26: a defect and an interruption from within are not remembered", () =>
    Effect.gen(function* () {
      const { count, target } = attempts(Effect.die("a defect"), Effect.interrupt, provider)
      const providers = yield* providersOf({ targets: [target] })
      expect((yield* Effect.exit(providers.of(docker)))._tag).toBe("Failure")
      expect((yield* Effect.exit(providers.of(docker)))._tag).toBe("Failure")
      yield* providers.of(docker)
      expect(count()).toBe(3)
    }).pipe(Effect.scoped)
  )
})
