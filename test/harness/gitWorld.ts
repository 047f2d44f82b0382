// A Git repository of an app behind a real SSH server, and the Sources that lead to it: good ones and bad ones.

import { Commit, GitRef, type GitSource, GitUrl } from "@lockkeeper/core/domain/Source"
import type { Redacted } from "effect"
import { Context, Effect, Layer } from "effect"
import { type GitRepo, gitRepo } from "./gitRepo.ts"
import { type Sshd, sshd, strangerKey } from "./sshd.ts"
import { goodApp } from "./testApp.ts"

/** The repository, its server, and what a user would write down about it. */
export class GitWorld extends Context.Service<
  GitWorld,
  {
    readonly repository: GitRepo
    readonly server: Sshd
    readonly source: GitSource
    /** A key that opens nothing. */
    readonly stranger: Redacted.Redacted<string>
  }
>()("@lockkeeper/test/harness/GitWorld") {
  /** A repository with one commit of a good app, version `v1`. */
  static readonly layer: Layer.Layer<GitWorld> = Layer.effect(
    GitWorld,
    Effect.gen(function* () {
      const repository = yield* gitRepo(goodApp("v1"))
      const server = yield* sshd
      const source: GitSource = {
        type: "git",
        url: GitUrl.make(server.url(repository.path)),
        ref: GitRef.make("main"),
        deployKey: server.newKey(repository.path),
        knownHosts: server.knownHosts
      }
      return { repository, server, source, stranger: yield* strangerKey }
    })
  )
}

/** A commit that no repository has. */
export const missingCommit = Commit.make("0123456789".repeat(4))

/** The same Source over a proxy in front of its server. */
export const sourceOver = ({ server, source }: GitWorld["Service"], proxy: { readonly port: number }): GitSource => ({
  ...source,
  url: GitUrl.make(source.url.replace(`:${server.port}/`, `:${proxy.port}/`)),
  knownHosts: server.knownHosts.replace(`:${server.port} `, `:${proxy.port} `)
})
