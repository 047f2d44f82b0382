// What users get wrong, one thing at a time: the deploy says which, the old version serves on, and nothing is left behind.

import { assert, describe, layer, vi } from "@effect/vitest"
import type { DeploymentFailureCode } from "@lockkeeper/core/domain/Deployment"
import {
  type ArchiveSource,
  ArchiveUrl,
  GitRef,
  GitUrl,
  ImageReference,
  Sha256,
  type Source
} from "@lockkeeper/core/domain/Source"
import { Context, Effect, Layer } from "effect"
import { once } from "node:events"
import { createServer } from "node:net"
import { describeWith } from "../harness/capability.ts"
import { ask, deploy, deployedApp, healthCheck, logText, makeApp, serves } from "../harness/deploying.ts"
import { byFlavour, flavour } from "../harness/flavour.ts"
import { GitWorld, missingCommit } from "../harness/gitWorld.ts"
import type { Files } from "../harness/archiveServer.ts"
import { images } from "../harness/images.ts"
import { exitingApp, goodApp, greedyApp, silentApp } from "../harness/testApp.ts"
import { comesToRest, SharedServer, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** The App that serves all the while, and the process or container that it serves from. */
class Old extends Context.Service<Old, { readonly id: string; readonly url: string; readonly instance: string }>()(
  "@lockkeeper/test/e2e/Old"
) {
  static readonly layer = Layer.effect(
    Old,
    Effect.gen(function* () {
      const { client } = yield* SharedServer
      const { archives } = yield* World
      const { id, url } = yield* deployedApp(client, yield* archives.source(goodApp("old")))
      const { instance } = yield* serves(url, "old")
      return { id, url, instance }
    })
  ).pipe(Layer.provideMerge(SharedServer.layer()))
}

const nowhere = ArchiveUrl.make("http://127.0.0.1:9/app.tar.gz")
const imageOf = (reference: string): Source => ({ type: "image", reference: ImageReference.make(reference) })
const otherSum = Sha256.make("a".repeat(64))
const gone = ({ url }: ArchiveSource) => ArchiveUrl.make(`${url}.old`)

/** Deploys a bad source to the old App; answers the failure. */
const refused = Effect.fnUntraced(function* (source: Source, code: DeploymentFailureCode) {
  const { client } = yield* SharedServer
  const { id, instance, url } = yield* Old
  const deployment = yield* deploy(client, id, { source })
  const detail = deployment.error?.detail ?? ""
  assert.deepStrictEqual(
    [deployment.status, deployment.error?.code, deployment.release],
    ["failed", code, null],
    detail
  )
  assert.strictEqual((yield* serves(url, "old")).instance, instance)
  const log = yield* logText(client, deployment.id)
  assert.include(log, detail)
  yield* comesToRest
  return { detail, log }
})

type ArchiveCase = readonly [what: string, code: DeploymentFailureCode, source: Effect.Effect<Source, never, World>]

const packed = (files: Files) => Effect.flatMap(World, ({ archives }) => archives.source(files))
const good = packed(goodApp("new"))

/** A good app with another Dockerfile. */
const dockerfile = (text: string) => packed({ ...goodApp("new"), Dockerfile: text })

const buildCases = byFlavour<ReadonlyArray<ArchiveCase>>({
  docker: [
    ["no Dockerfile", "no_build_file", packed({ "app.mjs": "" })],
    ["only a Procfile", "no_build_file", packed({ Procfile: "web: sleep 9\n" })],
    ["a Dockerfile that begins with no image", "no_build_file", dockerfile("RUN true\n")],
    ["a Dockerfile that is none", "build_failed", dockerfile(`FROM ${images.node}\nBEGIN HERE\n`)],
    ["a step that fails", "build_failed", dockerfile(`FROM ${images.node}\nRUN exit 7\n`)],
    ["a base that does not exist", "build_failed", dockerfile("FROM registry.invalid/nothing:1\n")],
    ["a command that is not there", "start_failed", dockerfile(`FROM ${images.node}\nCMD ["/no/such/program"]\n`)],
    ["several ports, none of them its own", "start_failed", dockerfile(`FROM ${images.node}\nEXPOSE 1000 2000\n`)],
    ["an image that no registry has", "source_unreachable", Effect.succeed(imageOf("registry.invalid/app:1"))]
  ],
  process: [
    ["no Procfile", "no_build_file", packed({ "app.mjs": "" })],
    ["only a Dockerfile", "no_build_file", packed({ Dockerfile: "FROM scratch\n" })],
    ["a Procfile without a web line", "no_build_file", packed({ Procfile: "worker: sleep 9\n" })],
    ["an image instead", "no_build_file", Effect.succeed(imageOf("example.com/app:1"))]
  ]
})

const archiveCases: ReadonlyArray<ArchiveCase> = [
  ["a server that is not there", "source_unreachable", Effect.map(good, (source) => ({ ...source, url: nowhere }))],
  ["another sum", "checksum_mismatch", Effect.map(good, (source) => ({ ...source, sha256: otherSum }))],
  ["nothing at its address", "source_unreachable", Effect.map(good, (source) => ({ ...source, url: gone(source) }))]
]

layer(Old.layer, { excludeTestServices: true })("INV-7 INV-8 U4 a deploy that fails", (it) => {
  describe("because of its archive", () => {
    it.effect.each(archiveCases)("has %s: %s", ([, code, source]) =>
      Effect.gen(function* () {
        yield* refused(yield* source, code)
      })
    )
  })

  describe("because of what is built", () => {
    it.effect.each(buildCases)("has %s: %s", ([, code, source]) =>
      Effect.gen(function* () {
        yield* refused(yield* source, code)
      })
    )
  })

  describe("because of its app", () => {
    it.effect("exits at once: start_failed, with its last words in the log", () =>
      Effect.gen(function* () {
        const { archives } = yield* World
        const { detail, log } = yield* refused(yield* archives.source(exitingApp("no config found")), "start_failed")
        assert.include(log, "no config found")
        assert.include(detail, "exited with code 3")
      })
    )

    if (flavour === "docker") {
      it.effect("takes more memory than it may have: start_failed, and it says so", () =>
        Effect.gen(function* () {
          const { archives } = yield* World
          const { detail } = yield* refused(yield* archives.source(greedyApp), "start_failed")
          assert.include(detail, "out of memory")
        })
      )
    }

    it.effect("never answers: unhealthy after the time that its check allows", () =>
      Effect.gen(function* () {
        const { client } = yield* SharedServer
        const { archives } = yield* World
        const { id } = yield* Old
        const patch = (timeoutSeconds: number) =>
          client.apps.change({ params: { app: id }, payload: { healthCheck: { ...healthCheck, timeoutSeconds } } })
        yield* patch(1)
        const { detail } = yield* refused(yield* archives.source(silentApp), "unhealthy")
        assert.include(detail, "not healthy within 1 s")
        yield* patch(healthCheck.timeoutSeconds)
      })
    )
  })

  describeWith("git", "sshd")("because of its repository", () => {
    it.layer(GitWorld.layer)((it) => {
      it.effect("INV-12 has a server that is not there: source_unreachable", () =>
        Effect.gen(function* () {
          const { source } = yield* GitWorld
          yield* refused({ ...source, url: GitUrl.make("ssh://git@127.0.0.1:9/app.git") }, "source_unreachable")
        })
      )
      it.effect("INV-12 has a server with another key than the pinned one: host_key_mismatch", () =>
        Effect.gen(function* () {
          const { server, source } = yield* GitWorld
          yield* refused({ ...source, knownHosts: server.wrongKnownHosts }, "host_key_mismatch")
        })
      )
      it.effect("INV-12 has a deploy key that the server does not know: auth_failed", () =>
        Effect.gen(function* () {
          const { source, stranger } = yield* GitWorld
          yield* refused({ ...source, deployKey: stranger }, "auth_failed")
        })
      )
      it.effect("names a branch that is not there: ref_not_found", () =>
        Effect.gen(function* () {
          const { source } = yield* GitWorld
          yield* refused({ ...source, ref: GitRef.make("release/9") }, "ref_not_found")
        })
      )
      it.effect("names a commit that is not there: ref_not_found", () =>
        Effect.gen(function* () {
          const { source } = yield* GitWorld
          yield* refused({ ...source, commit: missingCommit }, "ref_not_found")
        })
      )
      it.effect("has nothing to build at its root: no_build_file", () =>
        Effect.gen(function* () {
          const { repository, source } = yield* GitWorld
          repository.git("mv", "Procfile", "procfile.txt")
          repository.git("mv", "Dockerfile", "dockerfile.txt")
          repository.commit({})
          yield* refused(source, "no_build_file")
        })
      )
    })
  })

  describe("because of its address", () => {
    it.effect("finds another program there: port_conflict, and goes well as soon as that is gone", () =>
      Effect.gen(function* () {
        const { client } = yield* SharedServer
        const { archives, sql } = yield* World
        const { id } = yield* makeApp(client, { source: yield* archives.source(goodApp("new")) })
        const [row] = yield* sql<{ readonly port: number }>`select host_port as port from apps where id = ${id}`
        const port = row?.port ?? 0
        const other = createServer((socket) => socket.end("somebody else\n"))
        yield* Effect.acquireRelease(
          Effect.promise(() => once(other.listen(port, "127.0.0.1"), "listening")),
          () => Effect.sync(() => other.close())
        )

        const first = yield* deploy(client, id)
        assert.deepStrictEqual([first.status, first.error?.code], ["failed", "port_conflict"])
        assert.include(first.error?.detail, String(port))
        yield* comesToRest
        assert.isNull((yield* client.apps.get({ params: { app: id } })).url)

        yield* Effect.promise(() => once(other.close(), "close"))
        assert.strictEqual((yield* deploy(client, id)).status, "healthy")
        yield* serves(`http://127.0.0.1:${port}`, "new")
        const { url } = yield* Old
        assert.strictEqual((yield* ask(url)).status, 200)
        yield* comesToRest
      })
    )
  })
})
