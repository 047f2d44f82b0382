// What the contracts need that look at something outside, put into the memory state: trees, Sources, and what is probed.

import { Effect, Redacted } from "effect"
import { HostPort } from "../../src/domain/App.ts"
import {
  ArchiveSource,
  ArchiveUrl,
  Commit,
  GitSource,
  GitUrl,
  ImageReference,
  KnownHosts,
  Sha256
} from "../../src/domain/Source.ts"
import { Address, ImageDigest, IpAddress, WorkloadId, WorkloadName } from "../../src/domain/Workload.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { SecretCipher } from "../../src/port/SecretCipher.ts"
import type { ProviderFixture } from "../../src/testing/ProviderFixture.ts"
import { eventually } from "../../src/testing/Contract.ts"
import * as Given from "../../src/testing/Fixture.ts"
import type { ProbeFixture } from "../../src/testing/HealthProbeContract.ts"
import type { SealedFixture } from "../../src/testing/SealedSecretsContract.ts"
import type { SourceFixture } from "../../src/testing/SourceFetcherContract.ts"
import type { SubscriberFixture } from "../../src/testing/SubscriberContract.ts"
import { retiredCipher } from "./layerMemory.ts"

/** Trees that the memory runtime can build. */
export const memoryTrees = {
  tree: { directory: "/memory/tree", commit: null },
  deeper: { directory: "/memory/deeper", commit: null }
}

const address = Address.make({ host: IpAddress.make("127.0.0.1"), port: HostPort.make(30_000) })

/** The address of a Workload that ails of this, or of nothing. */
const running = (ailment?: "failure" | "silence") =>
  Effect.map(MemoryState, ({ ailments, workloads }) => {
    const name = WorkloadName.make("probed")
    const image = ImageDigest.make(`sha256:${"a".repeat(64)}`)
    workloads.set(name, { id: WorkloadId.make("probed"), name, image, address })
    if (ailment !== undefined) ailments.set(name, ailment)
    return address
  })

/** Workloads in memory to be probed. */
export const memoryProbed: ProbeFixture<MemoryState> = {
  serving: running(),
  failing: running("failure"),
  silent: running("silence"),
  absent: Effect.succeed(address)
}

const git = (name: string, commit?: Commit): GitSource =>
  GitSource.make({
    type: "git",
    url: GitUrl.make(`git@code.example:team/${name}.git`),
    deployKey: Redacted.make("-----BEGIN PRIVATE KEY-----\nY29udHJhY3Q\n-----END PRIVATE KEY-----\n"),
    knownHosts: KnownHosts.make("code.example ssh-ed25519 AAAA"),
    ...(commit === undefined ? {} : { commit })
  })

const otherSum = ArchiveSource.make({
  type: "archive",
  url: ArchiveUrl.make("https://archives.example/other.tar.gz"),
  sha256: Sha256.make("5f".repeat(32))
})

const [newest, older] = [Commit.make("0".repeat(40)), Commit.make("1".repeat(40))]

/** What there is to be fetched in memory: a tree holds one file, which says what was fetched. */
export const memorySources: Effect.Effect<SourceFixture, never, MemoryState> = Effect.map(
  MemoryState,
  ({ refusals, trees }) => {
    const fetched = (source: GitSource, commit: Commit) => ({
      source,
      commit,
      files: { fetched: `${source.url} ${commit}` }
    })
    const [missing, otherHost, locked, unreachable, silent] = [
      git("missing"),
      git("other-host"),
      git("locked"),
      git("unreachable"),
      git("silent")
    ]
    refusals.set(missing.url, "ref_not_found")
    refusals.set(otherHost.url, "host_key_mismatch")
    refusals.set(locked.url, "auth_failed")
    refusals.set(unreachable.url, "source_unreachable")
    refusals.set(otherSum.url, "checksum_mismatch")
    refusals.set(silent.url, "silence")
    const count = Effect.sync(() => trees.size)
    return {
      fetched: [fetched(git("app"), newest), fetched(git("app", older), older)],
      missing,
      otherHost,
      locked,
      unreachable,
      otherSum,
      silent: {
        source: silent,
        asked: Effect.orDie(Effect.asVoid(eventually("a fetch that has begun", count, (size) => size > 0)))
      },
      filesOf: (directory) =>
        Effect.sync(() => {
          const text = trees.get(directory)
          return text === undefined ? {} : { fetched: text }
        }),
      left: Effect.sync(() => [...trees.keys()])
    }
  }
)

/** Sealed values in memory. */
export const memorySealed: SealedFixture<MemoryState> = {
  retired: Effect.provide(SecretCipher, retiredCipher),
  keep: Effect.fnUntraced(function* (seal) {
    const { sealed } = yield* MemoryState
    const place = `contract/${yield* Given.freshLetters}`
    const replace = (bytes: Uint8Array) => Effect.sync(() => void sealed.set(place, bytes))
    yield* Effect.flatMap(seal(place), replace)
    return { place, replace, bytes: Effect.sync(() => sealed.get(place) ?? new Uint8Array(0)) }
  })
}

const ailmentOf = { take: undefined, refuse: "refusal", fail: "failure", nothing: "silence" } as const

/** The Subscriber in memory. */
export const memorySubscriber: SubscriberFixture<MemoryState> = {
  does: (what) => Effect.map(MemoryState, ({ told }) => void (told.ailment = ailmentOf[what])),
  arrived: Effect.map(MemoryState, ({ told }) => [...told.events])
}

const reference = ImageReference.make("memory/app:1")

/** Runs in memory. */
export const memoryProvided: ProviderFixture<MemoryState> = {
  image: (provider) => Effect.map(provider.resolve(reference), (digest) => ({ digest, reference })),
  command: {
    goesOn: ["serve"],
    exits: (code) => ["exit", String(code)],
    environment: ["env"],
    credentials: ["credentials"],
    fills: (bytes) => ["fill", String(bytes)],
    holds: (mark) => ["hold", mark]
  },
  runs: (mark) =>
    Effect.map(MemoryState, ({ provided }) => [...provided.places.values()].some(({ marks }) => marks.has(mark))),
  shown: () => Effect.succeed(""),
  removal: "memory.remove"
}
