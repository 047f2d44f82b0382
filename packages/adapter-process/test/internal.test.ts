// The decisions that need no process: what the process table says, where links lead, what Git is told and what it means.

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { gitRepo } from "../../../test/harness/gitRepo.ts"
import { sshd } from "../../../test/harness/sshd.ts"
import { GitUrl } from "@lockkeeper/core/domain/Source"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { innerPath } from "../src/internal/archiveEntries.ts"
import { gitFailure } from "@lockkeeper/core/port/gitFailure"
import { findProcess, identityText, parseIdentity, parsePs, parseStat } from "../src/internal/processTable.ts"
import { webCommand } from "../src/internal/procfile.ts"
import { staysInside, type TreeEntry } from "../src/internal/treeLinks.ts"
import { fetcher } from "./support/fetching.ts"

describe("the process table", () => {
  const fields = `S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 0 0`

  it("is read past names that look like its fields", () => {
    for (const name of ["sh", "a b", "a) S 1 2 (b", ")"]) {
      assert.deepStrictEqual(parseStat(`77 (${name}) ${fields}`), { pid: 77, group: 77, start: "123456", ended: false })
    }
    assert.strictEqual(parseStat(`77 (sh) ${fields.replace("S", "Z")}`)?.ended, true)
    assert.strictEqual(parseStat("77 (sh)"), undefined)
    assert.strictEqual(parseStat(""), undefined)
  })

  it("is read from ps where there is no /proc", () => {
    const line = "  501   77 Ss   Mon Nov  2 03:04:05 2026    "
    assert.deepStrictEqual(parsePs(line), { pid: 501, group: 77, start: "1793588645", ended: false })
    assert.strictEqual(parsePs("COMMAND"), undefined)
  })

  it.live.skipIf(process.platform !== "linux")("tells the start of a process that was just started", () =>
    Effect.sync(() => {
      const child = spawn("sleep", ["1000"], { stdio: "ignore" })
      const entry = findProcess(child.pid ?? 0)
      child.kill("SIGKILL")
      assert.isAtLeast(Number(entry?.start), Number(findProcess(process.pid)?.start))
    })
  )

  it("names processes so that they can be read back", () => {
    assert.deepStrictEqual(parseIdentity(identityText({ pid: 12, start: "345" })), { pid: 12, start: "345" })
    assert.deepStrictEqual(parseIdentity("12-345-x-y"), { pid: 12, start: "345" })
    for (const text of ["", "12", "0-1", "-1-2", "12-", "12-x", "a-1", "12-345x"]) {
      assert.strictEqual(parseIdentity(text), undefined, text)
    }
  })
})

describe("links", () => {
  const component = Schema.Literals(["a", "b", "c", "..", "."])
  const path = Schema.Array(component).check(Schema.isMaxLength(6))

  // The kernel is the judge: a real tree of these links, and where it says that they lead.
  it.effect.prop(
    "stay inside by our walk only if the kernel says so too",
    { targets: Schema.Tuple([path, path, path]) },
    ({ targets }) =>
      Effect.scoped(
        Effect.map(temporaryDirectory, (outer) => {
          const root = Path.join(outer, "o", "root")
          Fs.mkdirSync(Path.join(root, "d/e"), { recursive: true })
          for (const name of ["a", "b", "c", "o/a", "o/b", "o/c"]) Fs.writeFileSync(Path.join(outer, name), "")
          const entries = new Map<string, TreeEntry>([
            ["d", { kind: "directory" }],
            ["d/e", { kind: "directory" }]
          ])
          for (const [index, place] of ["a", "d/b", "d/e/c"].entries()) {
            const target = (targets[index] ?? []).join("/") || "."
            entries.set(place, { kind: "link", target })
            Fs.symlinkSync(target, Path.join(root, place))
          }
          for (const place of ["a", "d/b", "d/e/c"]) {
            if (!staysInside(entries, place)) continue
            const leads = (() => {
              try {
                return Fs.realpathSync.native(Path.join(root, place))
              } catch {
                return root
              }
            })()
            assert.isTrue(leads === root || leads.startsWith(`${root}/`), `${place} leads to ${leads}`)
          }
        })
      )
  )

  it("that leave are told from links that stay", () => {
    const link = (place: string, target: string) =>
      staysInside(new Map([[place, { kind: "link", target } as const]]), place)
    assert.deepStrictEqual(
      [
        link("a/b", "../c"),
        link("a/b", "../../c"),
        link("a", "/a"),
        link("a", "a"),
        link("a", "b/../c"),
        link("a", ".")
      ],
      [true, false, false, false, true, true]
    )
  })
})

describe("names", () => {
  it("of archive entries are inner paths or refused", () => {
    assert.deepStrictEqual(["./a//b/", "a/./b", "."].map(innerPath), ["a/b", "a/b", ""])
    for (const path of ["/a", "..", "a/../b", "a\\..\\b", "a\0b"]) assert.strictEqual(innerPath(path), undefined)
  })

  it("of Procfile processes are told from all other lines", () => {
    assert.strictEqual(webCommand("worker: a\r\n  web :  b --c 'd: e' \r\nweb: f"), "b --c 'd: e'")
    for (const text of ["", "web:", "web: ", "#web: a", "webs: a", "a web: b"]) {
      assert.strictEqual(webCommand(text), undefined)
    }
  })
})

describe("what Git complains about", () => {
  const cases = [
    ["auth_failed", "fatal: could not read Username for 'https://github.com': terminal prompts disabled"],
    [
      "auth_failed",
      "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://gitlab.com/a/b.git/'"
    ],
    ["auth_failed", 'Load key "/data/keys/1-2-3/key": error in libcrypto\ngit@host: Permission denied (publickey).'],
    [
      "host_key_mismatch",
      "No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed."
    ],
    ["ref_not_found", "fatal: couldn't find remote ref nope"],
    ["ref_not_found", "fatal: remote error: upload-pack: not our ref abab"],
    [
      "source_unreachable",
      "ERROR: Repository not found.\nfatal: Could not read from remote repository.\n\nPlease make sure"
    ],
    [
      "source_unreachable",
      "ssh: Could not resolve hostname h: Name or service not known\nfatal: Could not read from remote"
    ],
    ["source_unreachable", ""]
  ] as const

  it.each(cases)("is %s: %s", (reason, stderr) => {
    const error = gitFailure(stderr)
    assert.strictEqual(error.reason, reason)
    assert.notMatch(error.detail, /keys\/|\n/)
  })

  it("is quoted in one short line without credentials, keys and controls", () => {
    const said = `fatal: https://user:secret@host/x \u001b[31m-----BEGIN OPENSSH PRIVATE KEY-----abc ${"x".repeat(999)}`
    const { detail } = gitFailure(said)
    assert.notMatch(detail, /secret|abc|\p{Cc}/u)
    assert.isBelow(detail.length, 300)
    assert.include(gitFailure("ERROR: Repository not found.\nfatal: x").detail, "Repository not found")
  })
})

describeWith("git", "sshd")("a directory with blanks, quotes and signs in its name", () => {
  it.live("holds keys as well as any other", () =>
    Effect.gen(function* () {
      const server = yield* sshd
      const repo = yield* gitRepo({ a: "a" })
      const parent = yield* temporaryDirectory
      const { fetch } = yield* fetcher({ directory: Path.join(parent, `a b'c"d\\e%h$(f)`) })
      const url = GitUrl.make(server.url(repo.path))
      const source = { type: "git", url, knownHosts: server.knownHosts, deployKey: server.newKey() } as const
      assert.strictEqual((yield* fetch(source)).commit, repo.git("rev-parse", "HEAD"))
    })
  )
})
