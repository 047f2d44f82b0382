// SourceFetchers that make the mistakes their contract exists for.

import { Effect, Redacted, Scope } from "effect"
import type { GitSource, Source } from "../../src/domain/Source.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import { SourceError, SourceFetcher } from "../../src/port/SourceFetcher.ts"
import { altered, type Broken } from "./Broken.ts"

type Fetcher = typeof SourceFetcher.Service

const unchecked = { directory: "/memory/unchecked", commit: null }

/** Answers a tree all the same where a fetch is refused for this reason. */
const accepting =
  (reason: SourceError["reason"]) =>
  ({ fetch }: Fetcher): Fetcher => ({
    fetch: (source) =>
      Effect.catchIf(
        fetch(source),
        (error) => error.reason === reason,
        () => Effect.succeed(unchecked)
      )
  })

/** Takes one reason for another. */
const confusing =
  (reason: SourceError["reason"], other: SourceError["reason"]) =>
  ({ fetch }: Fetcher): Fetcher => ({
    fetch: (source) =>
      Effect.mapError(fetch(source), (error) =>
        error.reason === reason ? new SourceError({ reason: other, detail: error.detail }) : error
      )
  })

const keyLine = ({ deployKey }: GitSource): string => (deployKey && Redacted.value(deployKey).split("\n")[1]) ?? ""

const quoting = (source: Source, { detail, reason }: SourceError): SourceError =>
  new SourceError({ reason, detail: source.type === "git" ? `${detail} with the key ${keyLine(source)}` : detail })

/** Holds a directory for as long as the Scope lasts. */
const holding = ({ trees }: MemoryTables, directory: string, text: string) =>
  Effect.acquireRelease(
    Effect.sync(() => trees.set(directory, text)),
    () => Effect.sync(() => trees.delete(directory))
  )

/** Broken SourceFetchers. */
export const brokenSourceFetchers: ReadonlyArray<Broken> = [
  {
    what: "a SourceFetcher that brings the newest commit whichever was asked for",
    contract: "SourceFetcher",
    violates: ["B14", "H30"],
    layer: altered(SourceFetcher, ({ fetch }) => ({
      fetch: (source) => {
        if (source.type !== "git") return fetch(source)
        const { commit: _, ...newest } = source
        return fetch(newest)
      }
    }))
  },
  {
    what: "a SourceFetcher that keeps trees for the next time",
    contract: "SourceFetcher",
    violates: ["U2", "H30", "H5", "INV-7"],
    layer: altered(SourceFetcher, ({ fetch }) => ({
      fetch: (source) => Effect.flatMap(Scope.make(), (scope) => Scope.provide(fetch(source), scope))
    }))
  },
  {
    what: "a SourceFetcher with one directory for all",
    contract: "SourceFetcher",
    violates: ["H30"],
    layer: altered(SourceFetcher, ({ fetch }, state) => ({
      fetch: Effect.fnUntraced(function* (source) {
        const tree = yield* fetch(source)
        if ("image" in tree) return tree
        const directory = "/memory/source"
        yield* holding(state, directory, state.trees.get(tree.directory) ?? "")
        return { ...tree, directory }
      })
    }))
  },
  {
    what: "a SourceFetcher that takes a server that is away for a missing ref",
    contract: "SourceFetcher",
    violates: ["SourceFetcher-1"],
    layer: altered(SourceFetcher, confusing("source_unreachable", "ref_not_found"))
  },
  {
    what: "a SourceFetcher that does not compare the sum",
    contract: "SourceFetcher",
    violates: ["H6"],
    layer: altered(SourceFetcher, accepting("checksum_mismatch"))
  },
  {
    what: "a SourceFetcher that brings the default branch where there is no such ref",
    contract: "SourceFetcher",
    violates: ["SourceFetcher-2", "INV-11"],
    layer: altered(SourceFetcher, accepting("ref_not_found"))
  },
  {
    what: "a SourceFetcher that trusts every host",
    contract: "SourceFetcher",
    violates: ["INV-12 a server", "INV-11"],
    layer: altered(SourceFetcher, accepting("host_key_mismatch"))
  },
  {
    what: "a SourceFetcher that leaves its key where access was refused",
    contract: "SourceFetcher",
    violates: ["INV-12 a key that opens nothing"],
    layer: altered(SourceFetcher, ({ fetch }, { trees }) => ({
      fetch: (source) =>
        Effect.tapError(fetch(source), ({ reason }) =>
          Effect.sync(() => reason === "auth_failed" && trees.set("/memory/keys/1", "key"))
        )
    }))
  },
  {
    what: "a SourceFetcher that quotes its key",
    contract: "SourceFetcher",
    violates: ["INV-11"],
    layer: altered(SourceFetcher, ({ fetch }) => ({
      fetch: (source) => Effect.mapError(fetch(source), (error) => quoting(source, error))
    }))
  },
  {
    what: "a SourceFetcher that leaves what it had begun when a server said nothing",
    contract: "SourceFetcher",
    violates: ["H5"],
    layer: altered(SourceFetcher, ({ fetch }, { refusals, trees }) => ({
      fetch: (source) =>
        Effect.onInterrupt(fetch(source), () =>
          Effect.sync(() => {
            const isSilent = source.type === "git" && refusals.get(source.url) === "silence"
            if (isSilent) trees.set("/memory/begun", "half")
          })
        )
    }))
  },
  {
    what: "a SourceFetcher that makes its directory before it sees to its end",
    contract: "SourceFetcher",
    violates: ["H5", "INV-7"],
    layer: altered(SourceFetcher, ({ fetch }, state) => ({
      fetch: Effect.fnUntraced(function* (source) {
        const directory = `/memory/early/${++state.sequence}`
        state.trees.set(directory, "early")
        yield* Effect.repeat(Effect.yieldNow, { times: 3 })
        state.trees.delete(directory)
        return yield* fetch(source)
      })
    }))
  }
]
