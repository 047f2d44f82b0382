// What may be fetched: the addresses, refs and images that are taken, those that are refused, and the key that is not shown.

import { describe, expect, it } from "@effect/vitest"
import { Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as Source from "../src/domain/Source.ts"

const accepts = (schema: Schema.Schema<string>, value: string): boolean => Schema.is(schema)(value)

type Groups = Readonly<Record<string, ReadonlyArray<string>>>

interface Table {
  readonly name: string
  readonly schema: Schema.Schema<string>
  readonly taken: Groups
  readonly refused: Groups
}

const sum = "5f".repeat(32)

const tables: ReadonlyArray<Table> = [
  {
    name: "a Git address",
    schema: Source.GitUrl,
    taken: {
      https: ["https://code.example/team/app.git", "https://code.example:8443/app", "https://192.0.2.7/app.git"],
      "http to this host": ["http://127.0.0.1:3000/app", "http://localhost/app.git", "http://[::1]:3000/app.git"],
      ssh: ["ssh://git@code.example/app.git", "ssh://git@code.example:2222/app.git", "ssh://git@[::1]:22/app.git"],
      "ssh in short": ["git@code.example:team/app.git", "deploy_user@10.0.0.1:/srv/app.git", "git@a.example:~me/app"]
    },
    refused: {
      "a path": ["", "app", "/srv/app.git", "./app.git", "../app.git", "~/app.git", "C:\\app.git"],
      "a command": ["ext::sh -c touch% /tmp/x", "ext::sh", "fd::17"],
      "another protocol": ["file:///etc/passwd", "git://code.example/app", "ftp://code.example/app", "data:,x"],
      "http elsewhere": ["http://code.example/app.git", "http://10.0.0.1/app", "http://127.0.0.1.example/app"],
      "an option": ["-oProxyCommand=touch x", "--upload-pack=touch", "-u"],
      "an option as host": ["ssh://-oProxyCommand=x/app", "ssh://git@-oProxyCommand=x/app", "git@-oProxyCommand=x:app"],
      "an option elsewhere": ["-git@code.example:app", "ssh://-git@code.example/app", "git@code.example:-app"],
      "an odd host": [
        "https://-code.example/app.git",
        "https:///app.git",
        "git@:app.git",
        "ssh://code.example/app.git"
      ],
      "no path": ["https://code.example", "https://code.example/", "git@code.example:", "ssh://git@code.example"],
      credentials: ["https://a:b@code.example/app", "https://token@code.example/app", "ssh://git:b@code.example/app"],
      "a query": ["https://code.example/app.git?token=1", "https://code.example/app.git#x"],
      space: ["https://code.example/a b", " https://code.example/app", "https://code.example/app "],
      "another line": ["https://code.example/app\n", "git@code.example:app\n-oProxyCommand=x", "\nhttps://a.example/b"],
      "hidden characters": [
        "https://code.example/app\0",
        "https://code.example/\u202egit.app",
        "git@code.example:\u200bapp"
      ],
      "a shell's words": [
        "https://code.example/$(id)",
        "git@code.example:`id`",
        "git@code.example:app;id",
        "git@a.b:a\\b"
      ],
      "too long": [`https://code.example/${"a".repeat(2048)}`]
    }
  },
  {
    name: "a Git ref",
    schema: Source.GitRef,
    taken: { "a ref": ["main", "v1.2.3", "release/2", "refs/heads/main", "a-b_c+d", "HEAD", "1", "a".repeat(255)] },
    refused: {
      "an option": ["-main", "--upload-pack=x"],
      "an odd path": ["", "/main", "main/", "a//b", ".main", "a/.b", "main.", "a..b", "a.lock", "a.lock/b"],
      "an expression": ["a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a@{1}", "@"],
      "hidden characters": ["a b", "a\n", "a\0", "a\u202eb", "ma\u00efn"],
      "too long": ["a".repeat(256)]
    }
  },
  {
    name: "the address of an archive",
    schema: Source.ArchiveUrl,
    taken: {
      https: ["https://archives.example/app.tar.gz", "https://archives.example/a@b.tar"],
      http: ["http://archives.example:8080/a.tar?x=1&y=2", "http://[::1]:80/a.tar"]
    },
    refused: {
      "another protocol": ["", "archives.example/a.tar", "file:///a.tar", "ftp://archives.example/a.tar"],
      credentials: ["https://user:pass@archives.example/a.tar", "https://token@archives.example/a.tar"],
      "an odd host": ["https:///a.tar", "https://-x/a.tar", "https://archives.example"],
      "an option": ["-o https://archives.example/a.tar"],
      "hidden characters": [
        "https://a.example/a b",
        "https://a.example/a\n",
        "\nhttps://a.example/a",
        "https://a.example/\u00e9"
      ],
      "too long": [`https://archives.example/${"a".repeat(2048)}`]
    }
  },
  {
    name: "an image reference",
    schema: Source.ImageSource.fields.reference,
    taken: {
      "a tag": ["nginx", "nginx:1.27", "team/app:v1", "registry.example/team/app:1.0", "registry.example:443/a/b:c_d"],
      "a digest": [`nginx@sha256:${sum}`, `localhost:5000/app:1@sha256:${sum}`]
    },
    refused: {
      "an option": ["-v", "--privileged", "nginx:-x"],
      "an odd name": ["", "NGINX", "a b", "nginx:", ":1", "/nginx", "nginx:1:2", "https://registry.example/a"],
      "an odd digest": ["nginx@sha256:abc", `nginx@sha256:${sum.toUpperCase()}`, `nginx@md5:${sum}`],
      "hidden characters": ["nginx\n", "a\u202eb", "$(id)", "a;id"],
      "too long": ["a".repeat(301)]
    }
  },
  {
    name: "a commit",
    schema: Source.Commit,
    taken: { "a commit": ["1f".repeat(20), "1f".repeat(32)] },
    refused: {
      "not whole": ["", "main", "1f", "1f".repeat(21)],
      "other characters": ["1F".repeat(20), "1g".repeat(20), `${"1f".repeat(20)}\n`, `-${"1f".repeat(20)}`]
    }
  },
  {
    name: "a SHA-256 sum",
    schema: Source.Sha256,
    taken: { "a sum": [sum] },
    refused: { "not one": ["", "5f".repeat(20), sum.toUpperCase(), `sha256:${sum}`, ` ${sum}`] }
  },
  {
    name: "known hosts",
    schema: Source.KnownHosts,
    taken: { lines: ["code.example ssh-ed25519 AAAA", "a ssh-rsa AA==\r\nb ssh-rsa BB==\n"] },
    refused: { "not text": ["", "a\0b", "a\u202eb"], "too long": ["a".repeat(16_385)] }
  }
]

const rowsOf = (groups: Groups) =>
  Object.entries(groups).flatMap(([kind, values]) => values.map((value) => [kind, value.slice(0, 80), value] as const))

describe.each(tables)("$name", ({ schema, taken, refused }) => {
  it.each(rowsOf(taken))("E14 takes %s: %j", (_kind, _shown, value) => {
    expect(accepts(schema, value)).toBe(true)
  })

  it.each(rowsOf(refused))("E14 refuses %s: %j", (_kind, _shown, value) => {
    expect(accepts(schema, value)).toBe(false)
  })
})

const key = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n-----END OPENSSH PRIVATE KEY-----\n"
const ssh = {
  type: "git",
  url: "git@code.example:app.git",
  knownHosts: "code.example ssh-ed25519 AAAA",
  deployKey: key
}
const decode = Schema.decodeUnknownResult(Source.Source)
const shownBy = (value: unknown): string => `${JSON.stringify(value)} ${String(value)} ${inspect(value, { depth: 9 })}`

describe("the deploy key of a Source", () => {
  const source = Result.getOrThrow(decode(ssh))

  it("INV-11 is redacted once the Source is read, and still there for who fetches", () => {
    const read = source.type === "git" ? source.deployKey : undefined
    expect(Redacted.isRedacted(read)).toBe(true)
    expect(read === undefined ? "" : Redacted.value(read)).toBe(key)
  })

  it("INV-11 is not shown by printing the Source", () => {
    expect(shownBy(source)).not.toContain("canary")
  })

  it("INV-11 is not part of the open Source, nor of what that is written as", () => {
    expect(Object.keys(Source.open(source)).sort()).toEqual(["knownHosts", "type", "url"])
    expect(shownBy(Schema.encodeUnknownSync(Source.OpenSource)(source))).not.toContain("canary")
  })

  const wrong = [
    { ...ssh, url: "file:///srv/app.git" },
    { ...ssh, ref: "-x" },
    { ...ssh, knownHosts: undefined },
    { ...ssh, deployKey: "canary" },
    { ...ssh, deployKey: `${key}canary` },
    { ...ssh, deployKey: ["canary"] },
    { ...ssh, type: "image" }
  ]

  it.each(wrong)("INV-11 is not shown by the error that refuses a Source: %#", (input) => {
    const error = Result.getOrThrow(Result.flip(decode(input)))
    expect(shownBy(error)).not.toContain("canary")
  })

  const pem = (name: string, body: string) => `-----BEGIN ${name}-----\n${body}\n-----END ${name}-----`

  it.each(["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"])("INV-12 may be a %s", (name) => {
    expect(accepts(Source.DeployKey, pem(name, "QUJD\nREVG=="))).toBe(true)
  })

  it.each(["PUBLIC KEY", "CERTIFICATE"])("INV-12 is not a %s", (name) => {
    expect(accepts(Source.DeployKey, pem(name, "QUJD"))).toBe(false)
  })

  it.each([
    pem("PRIVATE KEY", "QUJD; id"),
    pem("PRIVATE KEY", "\0"),
    `x${pem("PRIVATE KEY", "QUJD")}`,
    pem("PRIVATE KEY", "A".repeat(16_384))
  ])("INV-12 is a whole key in PEM form and nothing else: %#", (text) => {
    expect(accepts(Source.DeployKey, text)).toBe(false)
  })
})

describe("a Source over ssh", () => {
  it.each(["git@code.example:app.git", "ssh://git@code.example/app.git"])("INV-12 names its known hosts: %s", (url) => {
    expect(Source.isSshUrl(url)).toBe(true)
    expect(Result.isFailure(decode({ type: "git", url }))).toBe(true)
    expect(Result.isSuccess(decode({ type: "git", url, knownHosts: ssh.knownHosts }))).toBe(true)
  })

  it("INV-12 needs none over https", () => {
    expect(Source.isSshUrl("https://code.example/app.git")).toBe(false)
    expect(Result.isSuccess(decode({ type: "git", url: "https://code.example/app.git" }))).toBe(true)
  })
})
