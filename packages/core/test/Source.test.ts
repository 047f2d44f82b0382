// What may be fetched: the addresses, refs and images that are taken, those that are refused, and the key that is not shown.

import { describe, expect, it } from "@effect/vitest"
import { Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as Source from "../src/domain/Source.ts"

const accepts = (schema: Schema.Schema<string>, value: string): boolean => Schema.is(schema)(value)

const tables: ReadonlyArray<{
  readonly name: string
  readonly schema: Schema.Schema<string>
  readonly taken: ReadonlyArray<string>
  readonly refused: ReadonlyArray<string>
}> = [
  {
    name: "a Git address",
    schema: Source.GitUrl,
    taken: [
      ...["https://code.example/team/app.git", "https://code.example:8443/app", "https://192.0.2.7/app.git"],
      ...["http://127.0.0.1:3000/app.git", "http://localhost/app.git", "http://[::1]:3000/app.git"],
      ...["ssh://git@code.example/team/app.git", "ssh://git@code.example:2222/app.git", "ssh://git@[::1]:22/app.git"],
      ...["git@code.example:team/app.git", "deploy_user@10.0.0.1:/srv/app.git", "git@code.example:~team/app.git"]
    ],
    refused: [
      ...["", "app", "/srv/app.git", "./app.git", "../app.git", "~/app.git", "C:\\app.git", "https://code.example"],
      ...["ext::sh -c touch% /tmp/x", "ext::sh", "fd::17", "file:///etc/passwd", "git://code.example/app.git"],
      ...[
        "ftp://code.example/app.git",
        "javascript://code.example/app",
        "http://code.example/app.git",
        "http://10.0.0.1/app"
      ],
      ...["-oProxyCommand=touch x", "--upload-pack=touch", "-u", "ssh://-oProxyCommand=x/app.git"],
      ...["ssh://git@-oProxyCommand=x/app.git", "ssh://code.example/app.git", "ssh://-git@code.example/app.git"],
      ...[
        "-git@code.example:app.git",
        "git@-oProxyCommand=x:app.git",
        "git@code.example:-app.git",
        "git@code.example:"
      ],
      ...[
        "https://-code.example/app.git",
        "https://user:pass@code.example/app.git",
        "https://token@code.example/app.git"
      ],
      ...[
        "ssh://git:pass@code.example/app.git",
        "https://code.example/app.git?token=1",
        "https://code.example/app.git#x"
      ],
      ...[
        "https://code.example/a b",
        " https://code.example/app",
        "https://code.example/app ",
        "https://code.example/app\n"
      ],
      ...["git@code.example:app\n-oProxyCommand=x", "https://code.example/app\0", "https://code.example/\u202egit.app"],
      ...["https://code.example/$(id)", "git@code.example:`id`", "git@code.example:app;id", "git@code.example:a\\b"],
      `https://code.example/${"a".repeat(2048)}`
    ]
  },
  {
    name: "a Git ref",
    schema: Source.GitRef,
    taken: ["main", "v1.2.3", "release/2", "refs/heads/main", "feature/a-b_c+d", "HEAD", "1", "a".repeat(255)],
    refused: [
      ...[
        "",
        "-main",
        "--upload-pack=x",
        ".main",
        "/main",
        "main/",
        "main.",
        "a..b",
        "a//b",
        "a/.b",
        "a.lock",
        "a.lock/b"
      ],
      ...[
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\\b",
        "a@{1}",
        "@",
        "a\n",
        "a\0",
        "a\u202eb",
        "ma\u00efn",
        "a".repeat(256)
      ]
    ]
  },
  {
    name: "the address of an archive",
    schema: Source.ArchiveUrl,
    taken: [
      ...["https://archives.example/app.tar.gz", "http://archives.example:8080/a.tar?x=1&y=2", "http://[::1]:80/a.tar"],
      "https://archives.example/a@b.tar"
    ],
    refused: [
      ...["", "archives.example/a.tar", "file:///a.tar", "ftp://archives.example/a.tar", "https://archives.example"],
      ...["https://user:pass@archives.example/a.tar", "https://token@archives.example/a.tar", "https:///a.tar"],
      ...["https://archives.example/a b.tar", "https://archives.example/a.tar\n", "\nhttps://archives.example/a.tar"],
      ...["https://archives.example/\u00e9.tar", "https://-x/a.tar", "-o https://archives.example/a.tar"],
      `https://archives.example/${"a".repeat(2048)}`
    ]
  },
  {
    name: "an image reference",
    schema: Source.ImageSource.fields.reference,
    taken: [
      ...[
        "nginx",
        "nginx:1.27",
        "team/app:v1",
        "registry.example/team/app:1.0",
        "localhost:5000/app",
        "registry.example:443/a/b:c_d"
      ],
      ...[`nginx@sha256:${"a1".repeat(32)}`, `localhost:5000/app:1@sha256:${"a1".repeat(32)}`]
    ],
    refused: [
      ...[
        "",
        "-v",
        "--privileged",
        "NGINX",
        "a b",
        "nginx:",
        "nginx:-x",
        ":1",
        "/nginx",
        "nginx\n",
        "a\u202eb",
        "nginx:1:2"
      ],
      ...[
        "nginx@sha256:abc",
        `nginx@sha256:${"A1".repeat(32)}`,
        `nginx@md5:${"a1".repeat(32)}`,
        "https://registry.example/a"
      ],
      ...["$(id)", "a;id", "a".repeat(301)]
    ]
  },
  {
    name: "a commit",
    schema: Source.Commit,
    taken: ["1f".repeat(20), "1f".repeat(32)],
    refused: [
      "",
      "main",
      "1f",
      "1F".repeat(20),
      "1f".repeat(21),
      `${"1f".repeat(20)}\n`,
      `-${"1f".repeat(20)}`,
      "1g".repeat(20)
    ]
  },
  {
    name: "a SHA-256 sum",
    schema: Source.Sha256,
    taken: ["5f".repeat(32)],
    refused: ["", "5f".repeat(20), "5F".repeat(32), `sha256:${"5f".repeat(32)}`, ` ${"5f".repeat(32)}`]
  },
  {
    name: "known hosts",
    schema: Source.KnownHosts,
    taken: ["code.example ssh-ed25519 AAAA", "a ssh-rsa AA==\r\nb ssh-rsa BB==\n"],
    refused: ["", "a\0b", "a\u202eb", "a".repeat(16_385)]
  }
]

describe.each(tables)("$name", ({ schema, taken, refused }) => {
  it.each(taken.map((value) => [value.slice(0, 80), value] as const))("U9 is taken: %j", (_, value) => {
    expect(accepts(schema, value)).toBe(true)
  })

  it.each(refused.map((value) => [value.slice(0, 80), value] as const))("E14 is refused: %j", (_, value) => {
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
