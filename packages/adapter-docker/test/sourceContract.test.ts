// The fetcher on the real engine keeps every law of its contract. Archives are left to a fetcher in memory.

import { it } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ArchiveUrl, Commit, ImageReference, Sha256 } from "@lockkeeper/core/domain/Source"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { makeSourceFetcherContract, type SourceFixture } from "@lockkeeper/core/testing/SourceFetcherContract"
import { Context, Effect, Layer } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { GitWorld, missingCommit, sourceOver } from "../../../test/harness/gitWorld.ts"
import { images } from "../../../test/harness/images.ts"
import { tcpProxy } from "../../../test/harness/tcpProxy.ts"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { goodApp } from "../../../test/harness/testApp.ts"
import * as DockerSourceFetcher from "../src/DockerSourceFetcher.ts"
import { counts, freshInstallation, removeAll } from "./support/engine.ts"

class Fixture extends Context.Service<Fixture, SourceFixture>()("test/Fixture") {}

const filesOf = (directory: string): Readonly<Record<string, string>> =>
  Fs.existsSync(directory)
    ? Object.fromEntries(
        Fs.readdirSync(directory, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ name, parentPath }) => Path.join(parentPath, name))
          .map((path) => [Path.relative(directory, path), Fs.readFileSync(path, "utf8")])
      )
    : {}

const otherSum = {
  type: "archive",
  url: ArchiveUrl.make("https://archives.example/other.tar.gz"),
  sha256: Sha256.make("5f".repeat(32))
} as const

const beneath = Effect.gen(function* () {
  const { refusals } = yield* MemoryState
  refusals.set(otherSum.url, "checksum_mismatch")
  return yield* SourceFetcher
}).pipe(Effect.provide(SourceFetcher.layerMemory.pipe(Layer.provideMerge(MemoryState.layer))))

const world = Effect.gen(function* () {
  const git = yield* GitWorld
  const { repository, server, source, stranger } = git
  const installation = freshInstallation()
  yield* Effect.addFinalizer(() => removeAll(installation))
  const directory = yield* temporaryDirectory
  const fetcher = yield* DockerSourceFetcher.make({
    installation,
    replica: ReplicaId.make("one"),
    gitImage: ImageReference.make(images.git),
    directory
  }).pipe(Effect.provideServiceEffect(SourceFetcher, beneath))
  const proxy = yield* tcpProxy({ host: "127.0.0.1", port: server.port })
  const closed = yield* tcpProxy({ host: "127.0.0.1", port: 1 })

  const older = Commit.make(repository.git("rev-parse", "HEAD~1"))
  const newest = Commit.make(repository.git("rev-parse", "HEAD"))
  const fixture: SourceFixture = {
    fetched: [
      { source, commit: newest, files: goodApp("v2") },
      { source: { ...source, commit: older }, commit: older, files: goodApp("v1") }
    ],
    unreachable: sourceOver(git, closed),
    otherSum,
    missing: { ...source, commit: missingCommit },
    otherHost: { ...source, knownHosts: server.wrongKnownHosts },
    locked: { ...source, deployKey: stranger },
    silent: {
      source: sourceOver(git, proxy),
      asked: Effect.asVoid(eventually("ssh connects", Effect.sync(proxy.open), (open) => open > 0))
    },
    filesOf: (directory) => Effect.sync(() => filesOf(directory)),
    left: Effect.map(counts(installation), (made) => [
      ...Object.entries(made).flatMap(([kind, count]) => (count > 0 ? [`${count} ${kind}`] : [])),
      ...Fs.readdirSync(directory)
    ])
  }
  yield* proxy.stall
  return Context.make(Fixture, fixture).pipe(Context.add(SourceFetcher, fetcher))
})

const contract = makeSourceFetcherContract(Fixture)
const twoVersions = Layer.effectDiscard(
  Effect.map(GitWorld, ({ repository }) => repository.commit(goodApp("v2")))
).pipe(Layer.provideMerge(GitWorld.layer))

describeWith(
  "docker",
  "git",
  "sshd"
)("the contract of SourceFetcher", () => {
  it.layer(twoVersions, { excludeTestServices: true })((it) => {
    it.effect.each(contract.map(({ id, law, run }) => ({ id, law, run })))(
      "H42 $id $law",
      ({ run }) => Effect.provide(run, Layer.effectContext(world)),
      60_000
    )
  })
})
