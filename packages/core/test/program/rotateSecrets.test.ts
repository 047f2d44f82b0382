// Everything that is sealed comes under the current key, wherever a run is cut off, and what cannot is told.
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { failpoint } from "../../src/port/failpoint.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { SealedSecrets } from "../../src/port/SealedSecrets.ts"
import { SecretCipher } from "../../src/port/SecretCipher.ts"
import { StoreError } from "../../src/port/StoreError.ts"
import { rotateSecrets } from "../../src/program/rotateSecrets.ts"
import { type Fault, faults, isPossible, pointsOf, runWithFault } from "../../src/testing/everyFailpoint.ts"
import { layerMemory, retiredCipher } from "../support/layerMemory.ts"

const retired = Effect.provide(SecretCipher, retiredCipher)
const secretOf = (place: string) => Redacted.make(`the secret of ${place}`)

/** Keeps this many values under the retired key. */
const keep = Effect.fnUntraced(function* (count: number) {
  const { sealed } = yield* MemoryState
  const cipher = yield* retired
  for (let index = 0; index < count; index++) {
    const place = `place/${String(index).padStart(4, "0")}`
    sealed.set(place, yield* cipher.seal(secretOf(place), place))
  }
})

/** Fails unless every value is under the current key and holds its secret. */
const allCurrent = Effect.gen(function* () {
  const { sealed } = yield* MemoryState
  const cipher = yield* SecretCipher
  for (const [place, bytes] of sealed) {
    expect(bytes.slice(0, 9)).toStrictEqual(cipher.beginning)
    expect(Redacted.value(yield* cipher.open(bytes, place))).toBe(Redacted.value(secretOf(place)))
  }
})

/** The port with a failpoint around each call. */
const withFailpoints = Effect.map(SealedSecrets, (port) => {
  const refuse = Effect.fail(
    new StoreError({ operation: "SealedSecrets", reason: "unavailable", cause: "a failpoint" })
  )
  return Context.make(
    SealedSecrets,
    SealedSecrets.of({
      reseal: (request) => failpoint("SealedSecrets.reseal", port.reseal(request), refuse),
      left: failpoint("SealedSecrets.left", port.left, refuse)
    })
  )
})

describe("rotateSecrets", () => {
  it.effect("X8: seals everything again, in as many calls as it takes, and a second run finds nothing to do", () =>
    Effect.gen(function* () {
      yield* keep(450)
      expect(yield* rotateSecrets()).toStrictEqual({ resealed: 450, unreadable: 0, examples: [], left: 0 })
      yield* allCurrent
      expect(yield* rotateSecrets()).toStrictEqual({ resealed: 0, unreadable: 0, examples: [], left: 0 })
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("X8 B12: counts what does not open, names the first hundred, and does not wait for it", () =>
    Effect.gen(function* () {
      const { sealed } = yield* MemoryState
      yield* keep(3)
      for (let index = 0; index < 150; index++) sealed.set(`odd/${index}`, new Uint8Array(index))
      const { examples, ...counts } = yield* rotateSecrets()
      expect(counts).toStrictEqual({ resealed: 3, unreadable: 150, left: 150 })
      expect(examples).toHaveLength(100)
      expect(examples[0]).toStrictEqual({ place: "odd/0", reason: "damaged" })
      expect([...sealed.entries()].filter(([place]) => place.startsWith("odd/"))).toHaveLength(150)
    }).pipe(Effect.provide(layerMemory))
  )

  it.live("X8: comes back to what somebody sealed meanwhile under a key that is retired here", () =>
    Effect.gen(function* () {
      const port = yield* SealedSecrets
      const { sealed } = yield* MemoryState
      yield* keep(1)
      const late = yield* (yield* retired).seal(secretOf("place/late"), "place/late")
      let passes = 0
      const counting = SealedSecrets.of({
        ...port,
        reseal: (request) =>
          Effect.tap(port.reseal(request), () => Effect.sync(() => ++passes === 1 && sealed.set("place/late", late)))
      })
      const rotated = yield* Effect.provideService(rotateSecrets(), SealedSecrets, counting)
      expect(rotated).toMatchObject({ resealed: 2, left: 0 })
      expect(passes).toBe(2)
      yield* allCurrent
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("X8: ends within a minute when something stays under another key, and says that it is left", () =>
    Effect.gen(function* () {
      const port = yield* SealedSecrets
      yield* keep(2)
      const busy = SealedSecrets.of({
        ...port,
        reseal: () => Effect.succeed({ resealed: 0, unreadable: [], next: null })
      })
      const running = yield* Effect.forkChild(Effect.provideService(rotateSecrets(), SealedSecrets, busy))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(running)).toMatchObject({ resealed: 0, unreadable: 0, left: 2 })
    }).pipe(Effect.provide(layerMemory))
  )

  const cut = Effect.fnUntraced(function* (fault: Fault) {
    const rotate = Effect.map(withFailpoints, (ports) => Effect.provideContext(rotateSecrets(), ports))
    yield* keep(450)
    const points = yield* pointsOf(yield* rotate)
    expect(points.map(({ name }) => name)).toContain("SealedSecrets.left")
    for (const point of points.filter((point) => isPossible(point, fault))) {
      yield* keep(450)
      const { reached } = yield* runWithFault(yield* rotate, point, fault)
      expect(reached).toBe(true)
      expect((yield* rotateSecrets()).left).toBe(0)
      yield* allCurrent
    }
  })

  it.effect.each(faults)("X8: a run that %s, anywhere, loses nothing, and the next one does the rest", (fault) =>
    Effect.provide(cut(fault), layerMemory)
  )
})
