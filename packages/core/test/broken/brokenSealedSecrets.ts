// SealedSecrets that make the mistakes their contract exists for.

import { Effect } from "effect"
import { SealedSecrets } from "../../src/port/SealedSecrets.ts"
import { SecretCipher } from "../../src/port/SecretCipher.ts"
import { layerMemory } from "../support/layerMemory.ts"
import { altered, type Broken } from "./Broken.ts"

const cipher = Effect.provide(SecretCipher, layerMemory)

const isUnder = (beginning: Uint8Array, bytes: Uint8Array): boolean =>
  beginning.every((byte, index) => bytes[index] === byte)

/** Broken SealedSecrets. */
export const brokenSealedSecrets: ReadonlyArray<Broken> = [
  {
    what: "SealedSecrets that do not count what they sealed again",
    contract: "SealedSecrets",
    violates: ["X8 what is sealed under a retired key", "X8 of several"],
    layer: altered(SealedSecrets, (original) => ({
      reseal: (request) => Effect.map(original.reseal(request), (answer) => ({ ...answer, resealed: 0 }))
    }))
  },
  {
    what: "SealedSecrets that write what they sealed over whatever is there by now",
    contract: "SealedSecrets",
    violates: ["X8 what is replaced", "X8 of several"],
    layer: altered(SealedSecrets, (original, { sealed }) => ({
      reseal: (request) =>
        Effect.gen(function* () {
          const before = new Map(sealed)
          const answer = yield* original.reseal(request)
          const { beginning, reseal } = yield* cipher
          const places = [...before.keys()].filter((place) => place > (request.after ?? "")).sort()
          let resealed = 0
          for (const place of places.slice(0, request.limit)) {
            const old = before.get(place)
            if (old === undefined || isUnder(beginning, old)) continue
            const again = yield* Effect.option(reseal(old, place))
            if (again._tag === "None") continue
            sealed.set(place, again.value)
            resealed++
          }
          return { ...answer, resealed }
        })
    }))
  },
  {
    what: "SealedSecrets that seal again what is under the current key",
    contract: "SealedSecrets",
    violates: ["X8 what is sealed under the current key", "X8 what is replaced"],
    layer: altered(SealedSecrets, (original, { sealed }) => ({
      reseal: (request) =>
        Effect.gen(function* () {
          const { beginning, reseal } = yield* cipher
          for (const [place, bytes] of sealed) {
            if (isUnder(beginning, bytes)) sealed.set(place, yield* Effect.orDie(reseal(bytes, place)))
          }
          return yield* original.reseal(request)
        })
    }))
  },
  {
    what: "SealedSecrets that stop at what does not open",
    contract: "SealedSecrets",
    violates: ["B12"],
    layer: altered(SealedSecrets, (original) => ({
      reseal: (request) =>
        Effect.map(original.reseal(request), (answer) =>
          answer.unreadable.length > 0 ? { ...answer, next: null } : answer
        )
    }))
  },
  {
    what: "SealedSecrets that do not tell what does not open",
    contract: "SealedSecrets",
    violates: ["B12"],
    layer: altered(SealedSecrets, (original) => ({
      reseal: (request) => Effect.map(original.reseal(request), (answer) => ({ ...answer, unreadable: [] }))
    }))
  },
  {
    what: "SealedSecrets that clear what does not open away",
    contract: "SealedSecrets",
    violates: ["B12", "X8 left"],
    layer: altered(SealedSecrets, (original, { sealed }) => ({
      reseal: (request) =>
        Effect.tap(original.reseal(request), ({ unreadable }) =>
          Effect.sync(() => unreadable.forEach(({ place }) => sealed.delete(place)))
        )
    }))
  },
  {
    what: "SealedSecrets that know no limit",
    contract: "SealedSecrets",
    violates: ["X8 a call looks"],
    layer: altered(SealedSecrets, (original) => ({
      reseal: (request) => original.reseal({ ...request, limit: 1_000 })
    }))
  },
  {
    what: "SealedSecrets that look at the first values only",
    contract: "SealedSecrets",
    violates: ["X8 a call looks", "B12"],
    layer: altered(SealedSecrets, (original) => ({
      reseal: (request) => Effect.map(original.reseal(request), (answer) => ({ ...answer, next: null }))
    }))
  },
  {
    what: "SealedSecrets that do not count what does not open as left",
    contract: "SealedSecrets",
    violates: ["X8 left"],
    layer: altered(SealedSecrets, (_, { sealed }) => ({
      left: Effect.gen(function* () {
        const { beginning, open } = yield* cipher
        const old = [...sealed].filter(([, bytes]) => !isUnder(beginning, bytes))
        const opened = yield* Effect.forEach(old, ([place, bytes]) => Effect.option(open(bytes, place)))
        return opened.filter(({ _tag }) => _tag === "Some").length
      })
    }))
  },
  {
    what: "SealedSecrets that show what they read",
    contract: "SealedSecrets",
    violates: ["INV-11"],
    layer: altered(SealedSecrets, (original) => ({
      reseal: (request) =>
        Effect.map(original.reseal(request), (answer) => ({ ...answer, seen: "a canary that sings 71ab 0" }))
    }))
  }
]
