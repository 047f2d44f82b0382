// Fetching over http with the real git: from Git's own server program, and from servers that refuse or lead elsewhere.

import { Commit, GitRef, type GitSource, GitUrl } from "@lockkeeper/core/domain/Source"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { gitRepo } from "../../../test/harness/gitRepo.ts"
import { fetcher } from "./support/fetching.ts"
import { gitServer } from "./support/gitServer.ts"
import { httpServer } from "./support/servers.ts"

describeWith("git")("a Git source over http", () => {
  it.live("is a head or a commit by its id, and a missing commit is not found", () =>
    Effect.gen(function* () {
      const repo = yield* gitRepo({ "file.txt": "one" })
      const first = Commit.make(repo.git("rev-parse", "HEAD"))
      const second = repo.commit({ "file.txt": "two" })
      repo.commit({ "file.txt": "three" })
      const { origin } = yield* gitServer(repo.path)
      const { fetch, left, refusal } = yield* fetcher()
      const source: GitSource = { type: "git", url: GitUrl.make(`${origin}/repo/.git`) }
      const wanted = [source, { ...source, commit: first }, { ...source, commit: Commit.make(second) }]
      const texts = yield* Effect.forEach(wanted, (one) =>
        Effect.scoped(
          Effect.map(fetch(one), ({ directory }) => Fs.readFileSync(Path.join(directory, "file.txt"), "utf8"))
        )
      )
      assert.deepStrictEqual(texts, ["three", "one", "two"])

      const missing = [
        { ...source, commit: Commit.make("ab".repeat(20)) },
        { ...source, ref: GitRef.make("no") }
      ]
      const errors = yield* Effect.forEach(missing, (one) => refusal(one))
      assert.deepStrictEqual(
        errors.map(({ reason }) => reason),
        ["ref_not_found", "ref_not_found"]
      )
      assert.deepStrictEqual(left(), [])
    })
  )

  const reasonAt = (answer: Parameters<typeof httpServer>[0]) =>
    Effect.gen(function* () {
      const server = yield* httpServer(answer)
      const { left, refusal } = yield* fetcher()
      const error = yield* refusal({ type: "git", url: GitUrl.make(`${server.origin}/a/b`) })
      assert.deepStrictEqual(left(), [])
      return error.reason
    })

  it.live("asks nobody for a password: 401 and 403 are auth_failed, 404 and 500 source_unreachable", () =>
    Effect.gen(function* () {
      const reasons = yield* Effect.forEach([401, 403, 404, 500], (status) =>
        reasonAt((_, response) => response.writeHead(status, { "www-authenticate": 'Basic realm="x"' }).end())
      )
      assert.deepStrictEqual(reasons, ["auth_failed", "auth_failed", "source_unreachable", "source_unreachable"])
    })
  )

  it.live("is not followed to another place", () =>
    Effect.gen(function* () {
      const other = yield* httpServer((_, response) => response.writeHead(404).end())
      const redirect = (_: string, response: Parameters<Parameters<typeof httpServer>[0]>[1]) =>
        response.writeHead(302, { location: `${other.origin}/a/b/info/refs?service=git-upload-pack` }).end()
      assert.strictEqual(yield* reasonAt((path, response) => void redirect(path, response)), "source_unreachable")
      assert.deepStrictEqual(other.requests, [])
    })
  )
})
