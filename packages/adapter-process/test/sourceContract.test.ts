// The fetcher with this machine's git keeps every law of its contract, against a real SSH server and a real HTTP server.

import { it } from "@effect/vitest"
import { ArchiveUrl, Commit, type GitSource, GitUrl, Sha256 } from "@lockkeeper/core/domain/Source"
import { SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { makeSourceFetcherContract, type SourceFixture } from "@lockkeeper/core/testing/SourceFetcherContract"
import { Context, Effect, Layer } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { gitRepo } from "../../../test/harness/gitRepo.ts"
import { sshd, strangerKey } from "../../../test/harness/sshd.ts"
import { fetcher } from "./support/fetching.ts"
import { filesBelow, until } from "./support/processes.ts"
import { httpServer, silentServer } from "./support/servers.ts"
import { tarGz } from "./support/tarball.ts"

class Fixture extends Context.Service<Fixture, SourceFixture>()("test/Fixture") {}

const filesOf = (directory: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    filesBelow(directory)
      .map((name) => [name, Path.join(directory, name)] as const)
      .filter(([, path]) => Fs.lstatSync(path).isFile())
      .map(([name, path]) => [name, Fs.readFileSync(path, "utf8")])
  )

const world = Effect.gen(function* () {
  const server = yield* sshd
  const first = { Procfile: "web: true\n", "below/more/file.txt": "one" }
  const second = { ...first, "below/more/file.txt": "two" }
  const repo = yield* gitRepo(first)
  const older = Commit.make(repo.git("rev-parse", "HEAD"))
  const newest = Commit.make(repo.commit(second))
  const silent = yield* silentServer
  const archives = yield* httpServer((_, response) => response.end(tarGz({ path: "Procfile", content: "web: true" })))
  const made = yield* fetcher()

  const source: GitSource = {
    type: "git",
    url: GitUrl.make(server.url(repo.path)),
    knownHosts: server.knownHosts,
    deployKey: server.newKey()
  }
  const fixture: SourceFixture = {
    fetched: [
      { source, commit: newest, files: second },
      { source: { ...source, commit: older }, commit: older, files: first }
    ],
    unreachable: { ...source, url: GitUrl.make("ssh://git@127.0.0.1:1/x") },
    otherSum: { type: "archive", url: ArchiveUrl.make(`${archives.origin}/a`), sha256: Sha256.make("5f".repeat(32)) },
    missing: { ...source, commit: Commit.make("0123456789".repeat(4)) },
    otherHost: { ...source, knownHosts: server.wrongKnownHosts },
    locked: { ...source, deployKey: yield* strangerKey },
    silent: {
      source: { ...source, url: GitUrl.make(`ssh://git@127.0.0.1:${silent.port}/x`) },
      asked: Effect.asVoid(until(() => silent.open() > 0))
    },
    filesOf: (directory) => Effect.sync(() => filesOf(directory)),
    left: Effect.sync(() => made.left().map(String))
  }
  return Context.make(Fixture, fixture).pipe(Context.add(SourceFetcher, { fetch: made.fetch }))
})

const contract = makeSourceFetcherContract(Fixture)

describeWith("git", "sshd")("the contract of SourceFetcher", () => {
  it.live.each(contract.map(({ id, law, run }) => ({ id, law, run })))("$id $law", ({ run }) =>
    Effect.provide(run, Layer.effectContext(world))
  )
})
