// Fetching over SSH from a real server with the real git: what arrives, what is refused for which reason, and that
// neither keys nor processes nor files are left.

import { Commit, GitRef, type GitSource, GitUrl } from "@lockkeeper/core/domain/Source"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { gitRepo } from "../../../test/harness/gitRepo.ts"
import { type Sshd, sshd, strangerKey } from "../../../test/harness/sshd.ts"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { fetcher, uncheckedGit } from "./support/fetching.ts"
import { filesBelow } from "./support/processes.ts"

const sourceOf = (server: Sshd, path: string): GitSource => ({
  type: "git",
  url: GitUrl.make(server.url(path)),
  knownHosts: server.knownHosts,
  deployKey: server.newKey()
})

const textIn = (...path: ReadonlyArray<string>) => Fs.readFileSync(Path.join(...path), "utf8")

const world = Effect.gen(function* () {
  const server = yield* sshd
  const repo = yield* gitRepo({ "file.txt": "one" })
  return { server, repo, source: sourceOf(server, repo.path), ...(yield* fetcher()) }
})

describeWith("git", "sshd")("a Git source over ssh", () => {
  it.live("is the head, a branch, a tag or a full ref, without .git, and gone with the Scope, its key before", () =>
    Effect.gen(function* () {
      const { fetch, keys, left, repo, source } = yield* world
      const first = repo.git("rev-parse", "HEAD")
      repo.git("tag", "--annotate", "v1.0", "--message", "one")
      repo.git("branch", "feature/a+b")
      const second = repo.commit({ "file.txt": "two", "bin/run": { executable: "#!" }, link: { link: "bin/run" } })
      repo.git("update-ref", "refs/pull/7/head", first)

      const refs = [undefined, "main", "v1.0", "feature/a+b", "refs/pull/7/head", "HEAD", "refs/heads/main"]
      const found = yield* Effect.forEach(
        refs,
        (ref) =>
          Effect.scoped(
            Effect.map(fetch(ref === undefined ? source : { ...source, ref: GitRef.make(ref) }), (tree) => {
              assert.notInclude(filesBelow(tree.directory), ".git")
              return [tree.commit, textIn(tree.directory, "file.txt")]
            })
          ),
        { concurrency: 4 }
      )
      const [one, two] = [
        [first, "one"],
        [second, "two"]
      ]
      assert.deepStrictEqual(found, [two, two, one, one, one, two, two])

      const tree = yield* Effect.scoped(
        Effect.map(fetch(source), ({ directory }) => [
          Fs.statSync(Path.join(directory, "bin/run")).mode & 0o100,
          Fs.readlinkSync(Path.join(directory, "link")),
          keys().length
        ])
      )
      assert.deepStrictEqual(tree, [0o100, "bin/run", 0])
      assert.deepStrictEqual(left(), [])
    })
  )

  it.live("is a commit by its id, also where the server does not hand out commits by id", () =>
    Effect.gen(function* () {
      const { fetch, refusal, repo, source } = yield* world
      const first = Commit.make(repo.git("rev-parse", "HEAD"))
      repo.commit({ "file.txt": "two" })
      repo.git("checkout", "--quiet", "-b", "other")
      const third = Commit.make(repo.commit({ "file.txt": "three" }))
      const fetched = yield* Effect.forEach(
        [
          { ...source, commit: first },
          { ...source, commit: first, ref: GitRef.make("main") },
          { ...source, commit: third }
        ],
        (wanted) =>
          Effect.scoped(Effect.map(fetch(wanted), (tree) => [tree.commit, textIn(tree.directory, "file.txt")]))
      )
      assert.deepStrictEqual(fetched, [
        [first, "one"],
        [first, "one"],
        [third, "three"]
      ])
      repo.commit({ "file.txt": "four" })
      const elsewhere = { ...source, commit: third, ref: GitRef.make("main") }
      assert.strictEqual((yield* refusal(elsewhere)).reason, "ref_not_found")
      repo.git("tag", "--annotate", "v1", "--message", "one")
      const tag = { ...source, commit: Commit.make(repo.git("rev-parse", "v1")) }
      assert.strictEqual((yield* refusal(tag)).reason, "ref_not_found")
    })
  )

  it.live("may name its commits by SHA-256", () =>
    Effect.gen(function* () {
      const { fetch, server } = yield* world
      const repo = yield* gitRepo({ "file.txt": "long" }, "sha256")
      const head = Commit.make(repo.git("rev-parse", "HEAD"))
      const source = sourceOf(server, repo.path)
      const trees = yield* Effect.forEach([source, { ...source, commit: head }], (wanted) => fetch(wanted))
      assert.deepStrictEqual(
        trees.map(({ commit }) => commit),
        [head, head]
      )
    })
  )

  it.live("is refused for the reason that a person can act on", () =>
    Effect.gen(function* () {
      const { left, refusal, repo, server, source } = yield* world
      const blob = repo.git("hash-object", "-w", "file.txt")
      repo.git("tag", "blob", blob)
      const { deployKey: _, ...keyless } = source
      const unknownHost = server.knownHosts.replace(`:${server.port}`, ":1")
      const cases: ReadonlyArray<readonly [string, GitSource]> = [
        ["host_key_mismatch", { ...source, knownHosts: server.wrongKnownHosts }],
        ["host_key_mismatch", { ...source, knownHosts: unknownHost }],
        ["auth_failed", { ...source, deployKey: yield* strangerKey }],
        ["auth_failed", keyless],
        ["ref_not_found", { ...source, ref: GitRef.make("absent") }],
        ["ref_not_found", { ...source, ref: GitRef.make("blob") }],
        ["ref_not_found", { ...source, commit: Commit.make("0123456789".repeat(4)) }],
        ["source_unreachable", { ...source, url: GitUrl.make(server.url("/absent")) }],
        ["source_unreachable", { ...source, url: GitUrl.make("ssh://git@127.0.0.1:1/x") }],
        ["source_unreachable", { ...source, url: GitUrl.make("git@host.invalid:x") }]
      ]
      const errors = yield* Effect.forEach(cases, ([, wrong]) => refusal(wrong), { concurrency: 4 })
      assert.deepStrictEqual(
        errors.map(({ reason }) => reason),
        cases.map(([reason]) => reason)
      )
      for (const { detail } of errors) {
        assert.notInclude(detail, "\n")
        assert.isBelow(detail.length, 300)
        assert.notMatch(detail, /\/keys\/|PRIVATE KEY/)
      }
      assert.deepStrictEqual(left(), [])
    })
  )

  it.live("runs nothing that the repository brings: filters, hooks, submodules", () =>
    Effect.gen(function* () {
      const { fetch, repo, source } = yield* world
      repo.commit({
        ".gitattributes": "* filter=evil\n*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ".gitmodules": `[submodule "s"]\n\tpath = s\n\turl = ${repo.path}\n`,
        "data.bin": "version https://git-lfs.github.com/spec/v1\n"
      })
      const tree = yield* fetch(source)
      assert.deepStrictEqual(filesBelow(tree.directory), [".gitattributes", ".gitmodules", "data.bin", "file.txt"])
      assert.include(textIn(tree.directory, "data.bin"), "git-lfs")
    })
  )

  it.live("does nothing with hostile addresses, refs and commits, should they come through the schemas", () =>
    Effect.gen(function* () {
      const { left, refusal, repo, server, source } = yield* world
      const directory = yield* temporaryDirectory
      const mark = Path.join(directory, "mark")
      const urls = [
        `ext::sh -c touch% ${mark}`,
        `-oProxyCommand=touch ${mark}`,
        `--upload-pack=touch ${mark}`,
        `ssh://-oProxyCommand=touch%20${mark}/x`,
        `file://${repo.path}`,
        repo.path,
        `ssh://127.0.0.1:${server.port}/x;touch ${mark}`
      ]
      yield* Effect.forEach(urls, (url) => refusal(uncheckedGit({ ...source, url })), { concurrency: 4 })
      const refs = [`--upload-pack=touch ${mark}`, "+refs/heads/*:refs/heads/*", `main:x`, `$(touch ${mark})`]
      yield* Effect.forEach(
        refs,
        (ref) => refusal(uncheckedGit({ ...source, ref: GitRef.make(ref, { disableChecks: true }) })),
        { concurrency: 4 }
      )
      assert.isFalse(Fs.existsSync(mark))
      assert.deepStrictEqual(left(), [])
    })
  )

  it.live("is opened by its own key when many are fetched at once (INV-12)", () =>
    Effect.gen(function* () {
      const { fetch, keys, server } = yield* world
      const numbers = Array.from({ length: 8 }, (_, index) => index)
      const fetched = yield* Effect.forEach(
        numbers,
        Effect.fnUntraced(function* (number) {
          const repo = yield* gitRepo({ "file.txt": `content ${number}` })
          const source = { ...sourceOf(server, "/ignored"), deployKey: server.newKey(repo.path) }
          const tree = yield* fetch(source)
          return textIn(tree.directory, "file.txt")
        }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        fetched,
        numbers.map((number) => `content ${number}`)
      )
      assert.deepStrictEqual(keys(), [])
    })
  )

  it.live("leaves nothing when it is interrupted, at whatever moment (U2, U4)", () =>
    Effect.gen(function* () {
      const { fetch, left, source } = yield* world
      for (const millis of [0, 1, 5, 15, 30, 60, 90, 120, 160, 200]) {
        const fetching = yield* Effect.forkChild(Effect.scoped(fetch(source)))
        yield* Effect.sleep(millis)
        yield* Fiber.interrupt(fetching)
        assert.deepStrictEqual(left(), [], `after ${millis} ms`)
      }
    })
  )
})
