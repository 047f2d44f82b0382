// What is tried again, when, and what is refused, on a scripted server and a test clock: the steps of every fetch.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { ArchiveUrl, Sha256 } from "../../src/domain/Source.ts"
import {
  ArtifactError,
  type ArtifactRequest,
  type ArtifactRunner,
  fetchArtifact
} from "../../src/port/artifactFetch.ts"

const sum = Sha256.make("a".repeat(64))

interface Said {
  readonly status?: number
  readonly location?: string
  /** The parts of the body; a reason is where it fails. */
  readonly parts?: ReadonlyArray<Uint8Array | ArtifactError["reason"] | "silence">
  readonly sum?: Sha256
}

/** A server that says one thing after the other, and files that count. */
const scripted = (...script: ReadonlyArray<Said>) =>
  Effect.gen(function* () {
    const seen = { asked: Array<string>(), at: Array<number>(), kept: 0, drafts: 0, open: 0, written: 0 }
    const left = [...script]
    const runner: ArtifactRunner = {
      ask: (url) =>
        Effect.gen(function* () {
          seen.asked.push(url.href)
          seen.at.push(yield* Clock.currentTimeMillis)
          const { location, parts = [], status = 200 } = left.shift() ?? {}
          const rest = [...parts]
          yield* Effect.acquireRelease(
            Effect.sync(() => seen.open++),
            () => Effect.sync(() => seen.open--)
          )
          const next = Effect.suspend(() => {
            const part = rest.shift()
            if (part === "silence") return Effect.never
            return typeof part === "string"
              ? Effect.fail(new ArtifactError({ reason: part, detail: "it was said so" }))
              : Effect.succeed(part)
          })
          return { status, location, next }
        }),
      draft: () =>
        Effect.gen(function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => seen.drafts++),
            () => Effect.sync(() => seen.drafts--)
          )
          return {
            write: (bytes) => Effect.sync(() => void (seen.written += bytes.length)),
            sum: Effect.sync(() => script.at(-left.length - 1)?.sum ?? sum),
            keep: Effect.sync(() => void seen.kept++)
          }
        })
    }
    const request: ArtifactRequest = {
      url: ArchiveUrl.make("https://files.example/a"),
      sha256: sum,
      file: "/place/a",
      limitBytes: 100
    }
    const fetch = (more: Partial<ArtifactRequest> = {}) =>
      Effect.gen(function* () {
        const fetching = yield* Effect.forkChild(Effect.result(fetchArtifact({ ...request, ...more }, runner)))
        yield* TestClock.adjust("1 hour")
        const result = yield* Fiber.join(fetching)
        assert.deepStrictEqual([seen.open, seen.drafts], [0, 0], "what is left")
        assert.strictEqual(seen.kept, Result.isSuccess(result) ? 1 : 0)
        return Result.isSuccess(result) ? "fetched" : result.failure.reason
      })
    return { seen, fetch, runner, request }
  })

const ok: Said = { parts: [new Uint8Array(10), new Uint8Array(20)] }

describe("an artifact", () => {
  it.effect("H7 is there after 503, 503 and 200, with a pause that grows between them", () =>
    Effect.gen(function* () {
      const { fetch, seen } = yield* scripted({ status: 503 }, { status: 503 }, ok)
      assert.strictEqual(yield* fetch(), "fetched")
      const [first = 0, second = 0, third = 0] = seen.at
      for (const [pause, usual] of [
        [second - first, 200],
        [third - second, 400]
      ] as const) {
        assert.isTrue(pause >= usual * 0.8 && pause <= usual * 1.2, `${pause} ms`)
      }
      assert.strictEqual(seen.written, 30)
    })
  )

  it.effect("H7 is paused for differently each time", () =>
    Effect.gen(function* () {
      const pauses = yield* Effect.forEach(Array.from({ length: 5 }), () =>
        Effect.gen(function* () {
          const { fetch, seen } = yield* scripted({ status: 503 }, ok)
          yield* fetch()
          return (seen.at[1] ?? 0) - (seen.at[0] ?? 0)
        })
      )
      assert.isAbove(new Set(pauses).size, 1, pauses.join())
    })
  )

  it.effect("H7 is tried for three times when that may help, and once when it will not", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [Said, string, number]> = [
        [{ status: 502 }, "unavailable", 3],
        [{ status: 504 }, "unavailable", 3],
        [{ parts: [new Uint8Array(5), "ended_early"] }, "ended_early", 3],
        [{ parts: ["unreachable"] }, "unreachable", 3],
        [{ status: 404 }, "refused", 1],
        [{ status: 500 }, "refused", 1],
        [{ status: 206 }, "refused", 1],
        [{ status: 401 }, "denied", 1],
        [{ status: 403 }, "denied", 1],
        [{ parts: ["not_written"] }, "not_written", 1],
        [{ ...ok, sum: Sha256.make("b".repeat(64)) }, "wrong_sum", 1],
        [{ parts: [new Uint8Array(60), new Uint8Array(41)] }, "too_large", 1]
      ]
      for (const [said, reason, tries] of cases) {
        const { fetch, seen } = yield* scripted(said, said, said, said)
        assert.deepStrictEqual([yield* fetch(), seen.asked.length], [reason, tries])
      }
      const { fetch } = yield* scripted({ parts: [new Uint8Array(60), new Uint8Array(40)] })
      assert.strictEqual(yield* fetch(), "fetched")
    })
  )

  it.effect("H6 is not looked for by another scheme, with credentials, nowhere, or in a circle", () =>
    Effect.gen(function* () {
      const to = (location?: string): Said => ({ status: 302, ...(location === undefined ? {} : { location }) })
      for (const location of [
        "http://files.example/a",
        "ftp://files.example/a",
        "https://u:p@files.example/",
        "https://",
        undefined
      ]) {
        const { fetch, seen } = yield* scripted(to(location), ok)
        assert.deepStrictEqual([yield* fetch(), seen.asked.length], ["refused", 1], location)
      }
      const circle = yield* scripted(...Array.from({ length: 9 }, () => to("/a")))
      assert.deepStrictEqual([yield* circle.fetch(), circle.seen.asked.length], ["refused", 6])
      const followed = yield* scripted(
        { status: 307, location: "b" },
        { status: 301, location: "https://o.example/c" },
        ok
      )
      assert.strictEqual(yield* followed.fetch(), "fetched")
      assert.deepStrictEqual(followed.seen.asked, [
        "https://files.example/a",
        "https://files.example/b",
        "https://o.example/c"
      ])
    })
  )

  it.effect("H5 H7 is given up at its deadline, whatever it waits for", () =>
    Effect.gen(function* () {
      const silent = yield* scripted({ parts: [new Uint8Array(1), "silence"] })
      assert.strictEqual(yield* silent.fetch({ deadline: "1 minute" }), "too_late")
      const usual = yield* scripted({ parts: ["silence"] })
      assert.strictEqual(yield* usual.fetch(), "too_late")
      const between = yield* scripted({ status: 503 }, { status: 503 }, ok)
      assert.strictEqual(yield* between.fetch({ deadline: "100 millis" }), "too_late")
      assert.strictEqual(between.seen.asked.length, 1)
    })
  )

  it.effect("H5 leaves nothing when it is interrupted", () =>
    Effect.gen(function* () {
      const { request, runner, seen } = yield* scripted({ parts: [new Uint8Array(1), "silence"] })
      const fetching = yield* Effect.forkChild(fetchArtifact(request, runner))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([seen.open, seen.drafts], [1, 1])
      yield* Fiber.interrupt(fetching)
      assert.deepStrictEqual([seen.open, seen.drafts, seen.kept], [0, 0, 0])
    })
  )
})
